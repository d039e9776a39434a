//! The texts of targets in answers: how they are held, and how their pieces are shared.

use std::ops::Range;

use foldhash::{HashMap, HashMapExt};
use xxhash_rust::xxh64::xxh64;

/// The text of a target, in pieces. Several targets of a group can share a piece, which is held once.
///
/// The text is escaped: it stands in a JSON string, so a backslash stands before each quote and each
/// backslash. Lambda takes answers in this form. Escaping an answer took five times as long as everything
/// else that is done for one.
#[derive(Debug, Clone, Copy)]
pub struct Text<'g> {
    /// The beginning, with the labels that differ from target to target.
    pub own: &'g str,
    /// The middle, which other targets can have, too.
    pub shared: &'g str,
    /// The end, with the labels of the group's part. All targets of the part have the same, or none.
    pub tail: &'g str,
}

impl Text<'_> {
    /// Whether there is no text.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// The pieces in their order.
    #[must_use]
    pub const fn pieces(&self) -> [&str; 3] {
        [self.own, self.shared, self.tail]
    }

    /// The whole text, escaped.
    #[must_use]
    pub fn escaped(&self) -> String {
        self.pieces().concat()
    }

    /// The whole text as JSON of its own.
    #[must_use]
    pub fn json(&self) -> String {
        // The text was escaped here, so it can always be read.
        serde_json::from_str(&format!("\"{}\"", self.escaped())).unwrap_or_default()
    }
}

/// The piece of a text.
pub(super) fn slice<'t>(text: &'t str, range: &Range<u32>) -> &'t str {
    text.get(range.start as usize..range.end as usize).unwrap_or_default()
}

/// The texts of a group while they are written: one string, in which each target knows its ranges.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    text: String,
    /// Pieces that several targets can share, by their hash.
    shared: Option<HashMap<u64, Range<u32>>>,
}

impl TextBuffer {
    /// Writes a piece, and returns its range.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut String)) -> Range<u32> {
        let start = position(self.text.len());
        write(&mut self.text);
        start..position(self.text.len())
    }

    /// Writes a piece that other targets can have, too. An equal piece is written once.
    pub(super) fn write_shared(&mut self, write: impl FnOnce(&mut String)) -> Range<u32> {
        let range = self.write(write);
        if range.is_empty() {
            return range;
        }
        let shared = self.shared.get_or_insert_with(HashMap::new);
        let piece = slice(&self.text, &range);
        let hash = xxh64(piece.as_bytes(), 0);
        let known = shared.get(&hash).filter(|known| slice(&self.text, known) == piece);
        if let Some(known) = known.cloned() {
            self.text.truncate(range.start as usize);
            return known;
        }
        shared.insert(hash, range.clone());
        range
    }

    pub(super) fn finish(self) -> Box<str> {
        self.text.into()
    }
}

/// A position as 32 bits. The texts of one group are far below 4 GB: the limit of a job sees to that.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
