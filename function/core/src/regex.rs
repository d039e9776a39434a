//! Go's regular expressions, as Prometheus uses them in relabelling rules.
//!
//! Input: a pattern in Go's syntax. Output: a matcher that matches like Go, or the error that Go gives. The module also
//! has the replacement templates of Go's `Regexp.Expand`.
//! DIFFERENCE(large-regex): a pattern that would take too much memory is refused, although Go accepts it.

mod cache;
mod class;
mod parser;
mod sequence;
mod template;
mod tree;
mod unicode;

use regex_automata::meta;
use regex_automata::util::primitives::NonMaxUsize;
use regex_automata::{Input, nfa::thompson::WhichCaptures};

pub use cache::RegexCache;
use sequence::Sequence;
pub use template::{MOST_EXPANDED, Template};
pub use unicode::{to_lower, to_upper};

/// Maximum size of a compiled pattern, in bytes. A tenant must not exhaust the memory of the function with one pattern.
const MAX_SIZE: usize = 10 << 20;

/// Maximum size of a compiled pattern times the number of its groups, in bytes. A search stores all groups for each
/// state.
const MAX_SIZE_OF_ALL_GROUPS: usize = 48 << 20;

/// Maximum size of the lazy DFA that searches build for a pattern, in bytes.
const CACHE_SIZE: usize = 256 << 10;

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// An escape that does not exist in Go's syntax.
    #[error("invalid escape sequence: {0}")]
    InvalidEscape(Box<str>),
    /// The pattern ends in a backslash.
    #[error("trailing backslash")]
    TrailingBackslash,
    /// A `[` without a closing `]`.
    #[error("missing closing ]")]
    MissingBracket,
    /// A range whose end is before its start.
    #[error("invalid character class range: {0}")]
    InvalidRange(Box<str>),
    /// A class name that Go does not know.
    #[error("unknown character class: {0}")]
    UnknownClass(String),
    /// A `(` without a closing `)`.
    #[error("missing closing )")]
    MissingParenthesis,
    /// A `)` without an opening `(`.
    #[error("unexpected )")]
    UnexpectedParenthesis,
    /// A construct that starts with `(?` and is not supported by Go, such as look-around or an unknown flag.
    #[error("unsupported group or flag: {0}")]
    UnsupportedGroup(Box<str>),
    /// The name of a group has characters other than letters, digits and `_`.
    #[error("invalid group name: {0}")]
    InvalidGroupName(String),
    /// A repetition of a repetition, such as `**`.
    #[error("repetition of a repetition: {0}")]
    NestedRepetition(Box<str>),
    /// A repetition without an expression before it.
    #[error("nothing to repeat before: {0}")]
    NothingToRepeat(Box<str>),
    /// More than 1000 repetitions (nested counts are multiplied), or a maximum below the minimum.
    #[error("invalid repeat count: {0}")]
    InvalidRepeatCount(Box<str>),
    /// More than 250 levels of nesting. Go allows 1000.
    #[error("expression nests too deeply")]
    TooDeep,
    /// The pattern or the compiled expression takes too much memory.
    #[error("expression too large")]
    TooLarge,
}

/// The results that the caller needs from a regular expression. Matching alone is cheaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Whether the expression matches.
    Match,
    /// Whether the expression matches, and what its groups match.
    Groups,
}

/// A regular expression of a relabelling rule, in Go's syntax, anchored as `^(?s:...)$`.
///
/// Follows [`NewRegexp`](https://github.com/prometheus/prometheus/blob/v3.14.0/model/relabel/relabel.go#L201) of
/// Prometheus.
#[derive(Debug, Clone)]
pub struct GoRegex {
    matcher: Matcher,
    group_names: Vec<Option<Box<str>>>,
}

#[derive(Debug, Clone)]
enum Matcher {
    /// Fixed text around `.*` and `.+`. Most rules have such a pattern, and need no engine.
    Sequences(Vec<Sequence>),
    /// Any other pattern.
    Engine(meta::Regex),
}

impl GoRegex {
    /// Compiles and anchors `pattern`.
    ///
    /// # Errors
    /// [`RegexError`] if Go refuses the pattern, or the pattern is too large.
    pub fn new(pattern: &str, purpose: Purpose) -> Result<Self, RegexError> {
        let parser::Parsed { hir, group_names } = parser::parse(&anchored(pattern))?;
        let matcher = match sequence::sequences(&hir, purpose == Purpose::Groups) {
            Some(sequences) => Matcher::Sequences(sequences),
            None => Matcher::Engine(engine(&hir, group_names.len(), purpose)?),
        };
        Ok(Self { matcher, group_names })
    }

    /// Memory of the expression in bytes, with an estimate of the lazy DFA that searches build.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.matcher {
            Matcher::Sequences(_) => 0,
            Matcher::Engine(engine) => engine.memory_usage() + CACHE_SIZE / 16,
        }
    }

    /// Checks whether Go accepts `pattern`, without compiling it.
    ///
    /// # Errors
    /// [`RegexError`] if Go refuses the pattern, or the pattern nests too deeply.
    pub fn check(pattern: &str) -> Result<(), RegexError> {
        parser::parse(&anchored(pattern)).map(|_| ())
    }

    /// Whether the expression matches in `text`.
    ///
    /// The match can be a part of `text`: a pattern such as `a)|(?:b` escapes the anchors, as in Prometheus.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        match &self.matcher {
            Matcher::Sequences(sequences) => sequences.iter().any(|sequence| sequence.matches(text).is_some()),
            Matcher::Engine(engine) => engine.is_match(text),
        }
    }

    /// The texts that the expression matches, if it is a list of fixed texts. `None` otherwise.
    #[must_use]
    pub fn texts(&self) -> Option<Vec<&str>> {
        match &self.matcher {
            Matcher::Sequences(sequences) => sequences.iter().map(Sequence::text).collect(),
            Matcher::Engine(_) => None,
        }
    }

    /// Finds the first match in `text` and writes its groups to `groups`. Returns whether there is a match.
    ///
    /// Without [`Purpose::Groups`], only group 0 is written: the whole match.
    pub fn captures(&self, text: &str, groups: &mut Groups) -> bool {
        self.captures_from(text, 0, groups)
    }

    /// Replaces each match with the expanded template, like Go's `Regexp.ReplaceAllString`.
    ///
    /// Stops after [`MOST_EXPANDED`] bytes.
    #[must_use]
    pub fn replace_all(&self, text: &str, template: &Template, groups: &mut Groups) -> String {
        let mut replaced = String::new();
        let (mut copied, mut position) = (0, 0);
        while position <= text.len() && replaced.len() <= MOST_EXPANDED && self.captures_from(text, position, groups) {
            let Some((start, end)) = groups.get(0) else { break };
            replaced.push_str(&text[copied..start]);
            // As in Go, an empty match directly after another match is not replaced.
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

/// Anchors a pattern by concatenation, like Prometheus. A pattern with an unbalanced `)` can therefore escape the
/// anchors.
fn anchored(pattern: &str) -> String {
    format!("^(?s:{pattern})$")
}

fn engine(hir: &regex_syntax::hir::Hir, groups: usize, purpose: Purpose) -> Result<meta::Regex, RegexError> {
    let (captures, limit) = match purpose {
        Purpose::Match => (WhichCaptures::Implicit, MAX_SIZE),
        // A search stores the groups for each state of the automaton.
        Purpose::Groups => (WhichCaptures::All, MAX_SIZE.min(MAX_SIZE_OF_ALL_GROUPS / groups)),
    };
    let config = meta::Config::new().which_captures(captures).nfa_size_limit(Some(limit));
    let config = config.hybrid_cache_capacity(CACHE_SIZE);
    meta::Builder::new().configure(config).build_from_hir(hir).map_err(|_| RegexError::TooLarge)
}

/// The positions that the groups of an expression match. Group 0 is the whole match.
///
/// Callers reuse one value for many searches, to avoid an allocation for each search.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    slots: Vec<Option<NonMaxUsize>>,
}

impl Groups {
    /// Start and end of the group in the text, in bytes. `None` if the group is not part of the match.
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
