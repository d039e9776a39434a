//! Sets of characters during parsing.
//!
//! Input: ranges and names of classes. Output: a class of the crate regex-syntax.
//! DIFFERENCE(surrogates): a pattern can contain surrogates, such as `\x{d800}`. They stay in the set until
//! [`CharacterSet::into_hir`] removes them, because no text contains a surrogate.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir};

use super::unicode::{self, Range};

/// The last code point of Unicode.
const MAX: u32 = 0x10_FFFF;

/// A set of code points.
#[derive(Debug, Clone, Default)]
pub(super) struct CharacterSet {
    ranges: Vec<Range>,
}

impl CharacterSet {
    /// The number of ranges. The parser limits the sum of all costs.
    pub(super) const fn cost(&self) -> usize {
        self.ranges.len()
    }

    /// Adds all code points from `first` to `last`. With `fold_case`, also adds their other cases.
    pub(super) fn add(&mut self, first: u32, last: u32, fold_case: bool) {
        self.ranges.push((first, last));
        if fold_case {
            self.ranges.extend(unicode::folds((first, last)).flatten().map(|&other| (other, other)));
        }
    }

    /// Adds all code points of `other`.
    pub(super) fn union(&mut self, other: &Self) {
        self.ranges.extend_from_slice(&other.ranges);
    }

    /// All code points that are not in the set.
    pub(super) fn negated(mut self) -> Self {
        self.normalize();
        let mut negated = Vec::with_capacity(self.ranges.len() + 1);
        let mut next = 0;
        for (first, last) in self.ranges {
            if next < first {
                negated.push((next, first - 1));
            }
            next = last + 1;
        }
        if next <= MAX {
            negated.push((next, MAX));
        }
        Self { ranges: negated }
    }

    /// Sorts the ranges and merges ranges that overlap or touch.
    pub(super) fn normalize(&mut self) {
        self.ranges.sort_unstable();
        self.ranges.dedup_by(|next, merged| {
            let touches = next.0 <= merged.1.saturating_add(1);
            if touches {
                merged.1 = merged.1.max(next.1);
            }
            touches
        });
    }

    /// An expression that matches one character of the set.
    pub(super) fn into_hir(self) -> Hir {
        let around_surrogates = |(first, last): Range| [(first, last.min(0xD7FF)), (first.max(0xE000), last)];
        let ranges =
            self.ranges.into_iter().flat_map(around_surrogates).filter(|(first, last)| first <= last).filter_map(
                |(first, last)| Some(ClassUnicodeRange::new(char::from_u32(first)?, char::from_u32(last)?)),
            );
        Hir::class(Class::Unicode(ClassUnicode::new(ranges)))
    }
}

/// The class of `\d`, `\s` or `\w`, or the opposite class for a capital letter. `None` for another letter.
pub(super) fn perl(letter: char, fold_case: bool) -> Option<CharacterSet> {
    let ranges: &[(char, char)] = match letter.to_ascii_lowercase() {
        'd' => &[('0', '9')],
        // In Go, `\s` does not contain the vertical tab, but `[[:space:]]` does.
        's' => &[('\t', '\n'), ('\x0C', '\r'), (' ', ' ')],
        'w' => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        _ => return None,
    };
    Some(ascii(ranges, letter.is_ascii_uppercase(), fold_case))
}

/// The class of `[:name:]` or `[:^name:]`. `None` if Go does not have the name.
pub(super) fn posix(name: &str, fold_case: bool) -> Option<CharacterSet> {
    let (name, negated) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    let ranges: &[(char, char)] = match name {
        "alnum" => &[('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => &[('A', 'Z'), ('a', 'z')],
        "ascii" => &[('\0', '\x7F')],
        "blank" => &[('\t', '\t'), (' ', ' ')],
        "cntrl" => &[('\0', '\x1F'), ('\x7F', '\x7F')],
        "digit" => &[('0', '9')],
        "graph" => &[('!', '~')],
        "lower" => &[('a', 'z')],
        "print" => &[(' ', '~')],
        "punct" => &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => &[('\t', '\r'), (' ', ' ')],
        "upper" => &[('A', 'Z')],
        "word" => &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => &[('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => return None,
    };
    Some(ascii(ranges, negated, fold_case))
}

/// The class of `\p{name}`, or the opposite class with `negated`. `None` if Go does not have the name.
pub(super) fn unicode(name: &str, negated: bool, fold_case: bool) -> Option<CharacterSet> {
    let (name, negated) = name.strip_prefix('^').map_or((name, negated), |name| (name, !negated));
    let mut set = CharacterSet::default();
    match unicode::folded_class(name).filter(|_| fold_case) {
        Some(folded) => set.ranges = folded,
        None => {
            for (first, last) in unicode::class(name)? {
                set.add(first, last, fold_case);
            }
        }
    }
    Some(if negated { set.negated() } else { set })
}

fn ascii(ranges: &[(char, char)], negated: bool, fold_case: bool) -> CharacterSet {
    let mut set = CharacterSet::default();
    for &(first, last) in ranges {
        set.add(u32::from(first), u32::from(last), fold_case);
    }
    if negated { set.negated() } else { set }
}
