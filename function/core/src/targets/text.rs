//! The texts of targets in responses. Targets share pieces of their texts.

use std::ops::Range;

use foldhash::{HashMap, HashMapExt};
use xxhash_rust::xxh64::xxh64;

/// The text of a target, in pieces. Targets of a group can share a piece, which is then stored once.
///
/// The text is escaped as the content of a JSON string: a backslash precedes each quotation mark and each backslash.
/// Lambda needs responses in this form. Escaping each response took five times as long as all other work for it.
#[derive(Debug, Clone, Copy)]
pub struct Text<'g> {
    /// The first piece: the labels that differ from target to target.
    pub own: &'g str,
    /// The middle piece. Other targets of the group can have an equal one.
    pub shared: &'g str,
    /// The last piece: the labels of the part. All targets of a part share it.
    pub tail: &'g str,
}

impl Text<'_> {
    /// Whether the text is empty.
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

    /// The whole text as JSON, not escaped.
    #[must_use]
    pub fn json(&self) -> String {
        // This module escaped the text, so parsing cannot fail.
        serde_json::from_str(&format!("\"{}\"", self.escaped())).unwrap_or_default()
    }
}

/// A piece of a text.
pub(super) fn slice<'t>(text: &'t str, range: &Range<u32>) -> &'t str {
    text.get(range.start as usize..range.end as usize).unwrap_or_default()
}

/// The texts of a group while they are written: one string. Each target has ranges of this string.
#[derive(Debug, Default)]
pub(super) struct TextBuffer {
    text: String,
    /// The pieces that targets can share, by their hash.
    shared: Option<HashMap<u64, Range<u32>>>,
}

impl TextBuffer {
    /// Writes a piece, and returns its range.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut String)) -> Range<u32> {
        let start = position(self.text.len());
        write(&mut self.text);
        start..position(self.text.len())
    }

    /// Writes a piece that other targets can share. An equal piece is written once.
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

/// A position as 32 bits. The limit of a job keeps the texts of one group far below 4 GB.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
