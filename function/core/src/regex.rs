//! Go's regular expressions, as Prometheus uses them in relabelling.
//!
//! In: a pattern in Go's syntax; out: a matcher with Go's meaning, or the reason
//! why Go refuses it. Also the replacement templates of Go's `Regexp.Expand`.
//! A pattern that would take too much memory here is refused, though Go takes it.

mod class;
mod parser;
mod sequence;
mod template;
mod tree;
mod unicode;

use regex_automata::meta;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, nfa::thompson::WhichCaptures};

use sequence::Sequence;
pub use template::{MOST_EXPANDED, Template};
pub use unicode::{to_lower, to_upper};

/// What a compiled pattern may take, in bytes; less if it has many groups.
const MAX_SIZE: usize = 10 << 20;
const MAX_SIZE_OF_ALL_GROUPS: usize = 48 << 20;

/// What searches may keep of what they have found out about a pattern.
const CACHE_SIZE: usize = 256 << 10;

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// No such escape, or one that Go does not support.
    #[error("invalid escape sequence: {0}")]
    InvalidEscape(Box<str>),
    /// A pattern ends in a backslash.
    #[error("trailing backslash")]
    TrailingBackslash,
    /// A `[` without its `]`.
    #[error("missing closing ]")]
    MissingBracket,
    /// A range whose end is before its start.
    #[error("invalid character class range: {0}")]
    InvalidRange(Box<str>),
    /// A class name that Go does not know.
    #[error("unknown character class: {0}")]
    UnknownClass(String),
    /// A `(` without its `)`.
    #[error("missing closing )")]
    MissingParenthesis,
    /// A `)` without its `(`.
    #[error("unexpected )")]
    UnexpectedParenthesis,
    /// Look-around, an unknown flag or another thing that starts with `(?`.
    #[error("unsupported group or flag: {0}")]
    UnsupportedGroup(Box<str>),
    /// The name of a group is not made of letters, digits and `_`.
    #[error("invalid name of a group: {0}")]
    InvalidGroupName(String),
    /// A repetition of a repetition, such as `**`.
    #[error("repetition of a repetition: {0}")]
    NestedRepetition(Box<str>),
    /// A repetition where nothing stands before it.
    #[error("nothing to repeat before: {0}")]
    NothingToRepeat(Box<str>),
    /// More than 1000 repetitions, nested ones multiplied, or fewer at most than at least.
    #[error("invalid repeat count: {0}")]
    InvalidRepeatCount(Box<str>),
    /// More than 250 levels of nesting; Go takes 1000.
    #[error("expression nests too deeply")]
    TooDeep,
    /// The compiled expression would take too much memory.
    #[error("expression too large")]
    TooLarge,
}

/// What a regular expression is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To know whether it matches.
    Match,
    /// To know what its groups match, too.
    Groups,
}

/// A regular expression as Prometheus' relabelling has it: in Go's syntax, and
/// wrapped by concatenation as `^(?s:...)$`.
#[derive(Debug, Clone)]
pub struct GoRegex {
    matcher: Matcher,
    group_names: Vec<Option<Box<str>>>,
}

#[derive(Debug, Clone)]
enum Matcher {
    /// Fixed text around `.*` and `.+`: most rules are of this kind.
    Sequences(Vec<Sequence>),
    Engine(meta::Regex),
}

impl GoRegex {
    /// Compiles `pattern`, anchored as Prometheus does it.
    ///
    /// # Errors
    /// If Go refuses the pattern, or if it is too large.
    pub fn new(pattern: &str, purpose: Purpose) -> Result<Self, RegexError> {
        let parser::Parsed { hir, group_names } = parser::parse(&anchored(pattern))?;
        let matcher = match sequence::sequences(&hir, purpose == Purpose::Groups) {
            Some(sequences) => Matcher::Sequences(sequences),
            None => Matcher::Engine(engine(&hir, group_names.len(), purpose)?),
        };
        Ok(Self { matcher, group_names })
    }

    /// `(.*)`, which stands for no expression: what most rules have, so it is not parsed for each.
    #[must_use]
    pub fn anything(purpose: Purpose) -> Self {
        let sequence = Sequence::anything(purpose == Purpose::Groups);
        Self { matcher: Matcher::Sequences(vec![sequence]), group_names: vec![None, None] }
    }

    /// Bytes that it takes, with some of what searches may keep.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.matcher {
            Matcher::Sequences(_) => 0,
            Matcher::Engine(engine) => engine.memory_usage() + CACHE_SIZE / 16,
        }
    }

    /// Whether Go takes `pattern`, which is not compiled.
    ///
    /// # Errors
    /// If Go refuses the pattern, or if it is nested too deeply.
    pub fn check(pattern: &str) -> Result<(), RegexError> {
        parser::parse(&anchored(pattern)).map(|_| ())
    }

    /// Whether the expression matches somewhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Sequences(sequences) => sequences.iter().any(|sequence| sequence.matches(text).is_some()),
            Matcher::Engine(engine) => engine.is_match(text),
        }
    }

    /// The texts that the expression matches, if it is made of nothing else.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<&str>> {
        match &self.matcher {
            Matcher::Sequences(sequences) => sequences.iter().map(Sequence::text).collect(),
            Matcher::Engine(_) => None,
        }
    }

    /// Whether the expression matches somewhere in `text`, and what the first match and its groups are.
    /// Without [`Purpose::Groups`] only the whole match is known.
    pub fn captures(&self, text: &str, groups: &mut Groups) -> bool {
        self.captures_from(text, 0, groups)
    }

    /// As Go's `ReplaceAllString`: every match gives way to the expanded template.
    #[must_use]
    pub fn replace_all(&self, text: &str, template: &Template, groups: &mut Groups) -> String {
        let mut replaced = String::new();
        let (mut copied, mut position) = (0, 0);
        while position <= text.len() && replaced.len() <= MOST_EXPANDED && self.captures_from(text, position, groups) {
            let Some((start, end)) = groups.get(0) else { break };
            replaced.push_str(&text[copied..start]);
            // An empty match right behind another match is passed over.
            if end > copied || start == 0 {
                template.expand(text, groups, &mut replaced);
            }
            copied = end;
            let width = text[position..].chars().next().map_or(1, char::len_utf8);
            position = end.max(position + width);
        }
        replaced.push_str(&text[copied..]);
        replaced
    }

    fn captures_from(&self, text: &str, start: usize, groups: &mut Groups) -> bool {
        groups.slots.clear();
        groups.slots.resize(2 * self.group_names.len(), None);
        match &self.matcher {
            Matcher::Sequences(_) if start > 0 => false,
            Matcher::Sequences(sequences) => sequences.iter().any(|sequence| sequence.captures(text, groups)),
            Matcher::Engine(engine) => {
                engine.search_slots(&Input::new(text).range(start..), &mut groups.slots).is_some()
            }
        }
    }
}

/// As Prometheus anchors it, which a pattern can get out of.
fn anchored(pattern: &str) -> String {
    format!("^(?s:{pattern})$")
}

fn engine(hir: &regex_syntax::hir::Hir, groups: usize, purpose: Purpose) -> Result<meta::Regex, RegexError> {
    let (captures, limit) = match purpose {
        Purpose::Match => (WhichCaptures::Implicit, MAX_SIZE),
        // A search keeps the groups of every state of the automaton.
        Purpose::Groups => (WhichCaptures::All, MAX_SIZE.min(MAX_SIZE_OF_ALL_GROUPS / groups)),
    };
    let config = meta::Config::new().which_captures(captures).nfa_size_limit(Some(limit));
    let config = config.hybrid_cache_capacity(CACHE_SIZE);
    meta::Builder::new().configure(config).build_from_hir(hir).map_err(|_| RegexError::TooLarge)
}

/// What the groups of an expression match; group 0 is the whole match. Kept to be used again.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    slots: Vec<Option<NonMaxUsize>>,
}

impl Groups {
    /// Start and end of what the group matches, if it takes part in the match.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<(usize, usize)> {
        let start = *self.slots.get(group.checked_mul(2)?)?;
        let end = *self.slots.get(group * 2 + 1)?;
        Some((start?.get(), end?.get()))
    }

    fn set(&mut self, group: usize, start: usize, end: usize) {
        if let Some([first, second]) = self.slots.get_mut(2 * group..2 * group + 2) {
            (*first, *second) = (NonMaxUsize::new(start), NonMaxUsize::new(end));
        }
    }
}

#[cfg(test)]
mod tests;
