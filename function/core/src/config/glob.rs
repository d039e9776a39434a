//! Patterns for the names of jobs.
//!
//! Input: a text of the config. Output: a pattern that matches whole names. `*` matches any text, also with slashes,
//! and `?` one character. A backslash takes the meaning of the next character away. Lists of characters (`[ab]`) and
//! of alternatives (`{a,b}`) do not exist, and are refused: somebody who writes them expects them to work.

use std::fmt;

/// A checked pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// This character.
    One(char),
    /// `?`: any character.
    AnyOne,
    /// `*`: any text.
    Any,
}

/// The reason why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// The text is empty.
    #[error("a pattern must not be empty, write \"*\" for all jobs")]
    Empty,
    /// The text has a character with a meaning in other kinds of patterns.
    #[error("a pattern has * and ? only, write several patterns, or \\{found} for this character itself: {text:?}")]
    NotSupported {
        /// The character.
        found: char,
        /// The whole text.
        text: String,
    },
    /// A backslash does not stand before a character that has a meaning.
    #[error("a backslash must stand before one of * ? [ ] {{ }} and \\, write \\\\ for a backslash itself: {0:?}")]
    Escape(String),
}

/// Characters that have a meaning, here or in other kinds of patterns.
const SPECIAL: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

impl Glob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// [`GlobError`] if the text is empty, or has a wrong character.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                '*' => Piece::Any,
                '?' => Piece::AnyOne,
                '\\' => match characters.next().filter(|escaped| SPECIAL.contains(escaped)) {
                    Some(escaped) => Piece::One(escaped),
                    None => return Err(GlobError::Escape(text.to_owned())),
                },
                found if SPECIAL.contains(&found) => {
                    return Err(GlobError::NotSupported { found, text: text.to_owned() });
                }
                plain => Piece::One(plain),
            });
        }
        Ok(Self { text: text.to_owned(), pieces })
    }

    /// Whether the pattern matches the whole name.
    ///
    /// The text before a star is matched at its first occurrence. After a failure, only the last star has to take more
    /// text, so the time is at most the product of both lengths.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let (mut pieces, mut rest) = (&self.pieces[..], name.chars());
        // The pieces after the last star, and the text that the star has not taken yet.
        let mut star = None;
        loop {
            let mut after = rest.clone();
            match (pieces.split_first(), after.next()) {
                (None, None) => return true,
                (Some((Piece::Any, next)), _) => {
                    star = Some((next, rest.clone()));
                    pieces = next;
                }
                (Some((piece, next)), Some(character)) if piece.takes(character) => (pieces, rest) = (next, after),
                _ => {
                    let Some((next, taken)) = &mut star else { return false };
                    if taken.next().is_none() {
                        return false;
                    }
                    (pieces, rest) = (*next, taken.clone());
                }
            }
        }
    }
}

impl Piece {
    fn takes(self, character: char) -> bool {
        match self {
            Self::One(wanted) => wanted == character,
            Self::AnyOne => true,
            Self::Any => false,
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        let cases = [
            ("node", "node", true),
            ("node", "node-exporter", false),
            ("node", "a-node", false),
            ("*", "", true),
            ("*", "serviceMonitor/shop/web/0", true),
            ("serviceMonitor/shop/*", "serviceMonitor/shop/web/0", true),
            ("serviceMonitor/shop/*", "serviceMonitor/shopping/web/0", false),
            ("*/shop/*", "podMonitor/shop/web", true),
            ("*/shop/*", "podMonitor/shop", false),
            ("*/web/?", "serviceMonitor/shop/web/0", true),
            ("*/web/?", "serviceMonitor/shop/web/10", false),
            ("a?c", "aßc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b-", false),
            ("**a", "bca", true),
            ("?", "", false),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            (r"\[x\]\{y\}\\\?", r"[x]{y}\?", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Glob::parse(pattern).unwrap().matches(name), expected, "{pattern} and {name:?}");
        }
    }

    #[test]
    fn wrong_patterns_are_refused() {
        let cases = [
            ("", "a pattern must not be empty, write \"*\" for all jobs"),
            (
                "web-[0-9]",
                "a pattern has * and ? only, write several patterns, or \\[ for this character itself: \"web-[0-9]\"",
            ),
            (
                "{a,b}",
                "a pattern has * and ? only, write several patterns, or \\{ for this character itself: \"{a,b}\"",
            ),
            (
                "a\\",
                "a backslash must stand before one of * ? [ ] { } and \\, write \\\\ for a backslash itself: \"a\\\\\"",
            ),
            (
                r"\d+",
                "a backslash must stand before one of * ? [ ] { } and \\, write \\\\ for a backslash itself: \"\\\\d+\"",
            ),
        ];
        for (pattern, expected) in cases {
            assert_eq!(Glob::parse(pattern).unwrap_err().to_string(), expected, "{pattern}");
        }
    }

    proptest! {
        /// The regular expression of the pattern is the oracle.
        #[test]
        fn a_pattern_matches_as_its_regular_expression(pattern in "[ab*?]{1,8}", name in "[abc]{0,10}") {
            let expression = pattern.replace('*', ".*").replace('?', ".");
            let expected = regex_automata::meta::Regex::new(&format!("^(?s:{expression})$")).unwrap().is_match(&name);
            prop_assert_eq!(Glob::parse(&pattern).unwrap().matches(&name), expected);
        }
    }
}
