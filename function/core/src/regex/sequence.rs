//! Matches simple patterns without an engine: fixed text around at most two of `.*` and `.+`.
//!
//! Input: an anchored pattern. Output: its alternatives in the order in which Go tries them, or `None` if the pattern
//! is not simple. Most patterns of relabelling rules are simple. String comparison is faster than an engine for them,
//! and needs no memory for an automaton.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::Groups;

/// Maximum number of alternatives. The engine is faster than trying more of them one by one.
const MAX_SEQUENCES: usize = 32;

/// Maximum number of characters in a class that is expanded into alternatives.
const MAX_CHARACTERS: u32 = 4;

/// One alternative: texts with gaps between them, from the start to the end of the input.
#[derive(Debug, Clone, Default)]
pub(super) struct Sequence {
    /// The texts, one more than `gaps`. Only the first and the last can be empty.
    texts: Vec<String>,
    gaps: Vec<Gap>,
    /// Group, start and end.
    groups: Vec<(usize, Mark, Mark)>,
    at_start: bool,
    at_end: bool,
}

/// A `.*` or `.+` between two texts.
#[derive(Debug, Clone, Copy)]
struct Gap {
    may_be_empty: bool,
    greedy: bool,
}

/// A position in the input: `offset` bytes after the start of the text with this index.
#[derive(Debug, Clone, Copy)]
struct Mark {
    text: usize,
    offset: usize,
}

/// The alternatives of a pattern. `None` if the pattern needs the engine.
///
/// With `groups`, the alternatives are in the order in which Go tries them, because the first match decides the groups.
/// If no such order exists, the result is `None`.
pub(super) fn sequences(hir: &Hir, groups: bool) -> Option<Vec<Sequence>> {
    let start = Sequence { texts: vec![String::new()], ..Sequence::default() };
    let sequences = extend(vec![start], hir, groups)?;
    let simple = |sequence: &Sequence| {
        let inner_texts = sequence.texts.get(1..sequence.gaps.len()).unwrap_or_default();
        let separated = sequence.gaps.len() <= 2 && inner_texts.iter().all(|text| !text.is_empty());
        sequence.at_start && sequence.at_end && separated
    };
    sequences.iter().all(simple).then_some(sequences)
}

/// Appends each alternative of `hir` to each sequence. Sequences that can never match are removed.
fn extend(mut sequences: Vec<Sequence>, hir: &Hir, groups: bool) -> Option<Vec<Sequence>> {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            let text = std::str::from_utf8(&literal.0).ok()?;
            sequences.retain_mut(|sequence| sequence.push_text(text));
        }
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges();
            let count: u32 = ranges.iter().map(|range| u32::from(range.end()) - u32::from(range.start()) + 1).sum();
            if count > MAX_CHARACTERS {
                return None;
            }
            let characters = ranges.iter().flat_map(|range| range.start()..=range.end());
            let alternatives: Vec<Hir> = characters.map(|c| Hir::literal(c.to_string().into_bytes())).collect();
            return each(&sequences, &alternatives.iter().collect::<Vec<_>>(), groups);
        }
        HirKind::Look(Look::Start) => {
            for sequence in &mut sequences {
                sequence.at_start = true;
                if !sequence.is_blank() {
                    return None;
                }
            }
        }
        HirKind::Look(Look::End) => sequences.iter_mut().for_each(|sequence| sequence.at_end = true),
        HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
            (0, Some(1)) => {
                let (once, never) = (&*repetition.sub, &Hir::empty());
                let alternatives = if repetition.greedy { [once, never] } else { [never, once] };
                return each(&sequences, &alternatives, groups);
            }
            (min @ (0 | 1), None) if is_any(&repetition.sub) => {
                let gap = Gap { may_be_empty: min == 0, greedy: repetition.greedy };
                for sequence in &mut sequences {
                    sequence.push_gap(gap)?;
                }
            }
            _ => return None,
        },
        HirKind::Capture(capture) => {
            if !groups {
                return extend(sequences, &capture.sub, groups);
            }
            let group = usize::try_from(capture.index).ok()?;
            for sequence in &mut sequences {
                let mark = sequence.mark();
                sequence.groups.push((group, mark, mark));
            }
            sequences = extend(sequences, &capture.sub, groups)?;
            for sequence in &mut sequences {
                let end = sequence.mark();
                let opened = sequence.groups.iter_mut().rev().find(|(index, ..)| *index == group);
                opened?.2 = end;
            }
        }
        HirKind::Concat(parts) => {
            for part in parts {
                sequences = extend(sequences, part, groups)?;
            }
        }
        HirKind::Alternation(alternatives) => {
            return each(&sequences, &alternatives.iter().collect::<Vec<_>>(), groups);
        }
        HirKind::Class(_) | HirKind::Look(_) => return None,
    }
    Some(sequences)
}

/// Appends each of the alternatives to each sequence.
fn each(sequences: &[Sequence], alternatives: &[&Hir], groups: bool) -> Option<Vec<Sequence>> {
    // After a gap, Go decides the length of the gap before it chooses an alternative. Trying alternative by alternative
    // would find another match.
    if groups && sequences.iter().any(|sequence| !sequence.gaps.is_empty()) {
        return None;
    }
    let mut extended = Vec::new();
    for sequence in sequences {
        for alternative in alternatives {
            extended.extend(extend(vec![sequence.clone()], alternative, groups)?);
            if extended.len() > MAX_SEQUENCES {
                return None;
            }
        }
    }
    Some(extended)
}

/// Whether `hir` is a dot that matches every character.
fn is_any(hir: &Hir) -> bool {
    let HirKind::Class(Class::Unicode(class)) = hir.kind() else { return false };
    matches!(class.ranges(), [range] if range.start() == '\0' && range.end() == char::MAX)
}

impl Sequence {
    fn is_blank(&self) -> bool {
        self.gaps.is_empty() && self.texts.iter().all(String::is_empty)
    }

    /// Appends text. False if the sequence already has its end, so that it can never match.
    fn push_text(&mut self, text: &str) -> bool {
        if let Some(last) = self.texts.last_mut() {
            last.push_str(text);
        }
        !self.at_end
    }

    fn push_gap(&mut self, gap: Gap) -> Option<()> {
        if self.at_end {
            return None;
        }
        self.gaps.push(gap);
        self.texts.push(String::new());
        Some(())
    }

    fn mark(&self) -> Mark {
        Mark { text: self.gaps.len(), offset: self.texts.last().map_or(0, String::len) }
    }

    /// The text of a sequence without gaps.
    pub(super) fn text(&self) -> Option<&str> {
        match self.texts.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// The start of each text in `input`, in bytes. `None` if the sequence does not match the whole input.
    pub(super) fn matches(&self, input: &str) -> Option<[usize; 3]> {
        match (self.texts.as_slice(), self.gaps.as_slice()) {
            ([text], []) => (input == text).then_some([0; 3]),
            ([first, last], [gap]) => {
                let between = between(input, first, last)?;
                (gap.may_be_empty || !between.is_empty()).then_some([0, input.len() - last.len(), 0])
            }
            ([first, middle, last], [before, after]) => {
                let between = between(input, first, last)?;
                let one = |character: Option<char>| character.map(char::len_utf8);
                let from = if before.may_be_empty { 0 } else { one(between.chars().next())? };
                let to = if after.may_be_empty { 0 } else { one(between.chars().next_back())? };
                let within = between.get(from..between.len().checked_sub(to)?)?;
                let at = if before.greedy { within.rfind(middle.as_str()) } else { within.find(middle.as_str()) }?;
                Some([0, first.len() + from + at, input.len() - last.len()])
            }
            _ => None,
        }
    }

    pub(super) fn captures(&self, input: &str, groups: &mut Groups) -> bool {
        let Some(starts) = self.matches(input) else { return false };
        let place = |mark: Mark| starts.get(mark.text).map_or(0, |start| start + mark.offset);
        groups.set(0, 0, input.len());
        for &(group, start, end) in &self.groups {
            groups.set(group, place(start), place(end));
        }
        true
    }
}

fn between<'i>(input: &'i str, first: &str, last: &str) -> Option<&'i str> {
    input.strip_prefix(first)?.strip_suffix(last)
}
