//! The text form of label selectors: `a=b,c!=d,e in (x,y),!f,g>1`.
//!
//! Follows the lexer and parser of `k8s.io/apimachinery/pkg/labels`, including special cases that users rely on: `in`
//! and `notin` are valid keys and values, and a missing value is empty.

use std::collections::BTreeSet;

use super::{Requirement, SelectorError, Test};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    /// Any text between symbols and white space, including the words `in` and `notin`.
    Word(&'t str),
    Symbol(&'t str),
    End,
}

impl Token<'_> {
    fn text(self) -> String {
        match self {
            Self::Word(text) | Self::Symbol(text) => text.to_owned(),
            Self::End => String::new(),
        }
    }
}

/// Parses a selector into its requirements, in the order of the text.
pub(super) fn parse(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    let mut parser = Parser { rest: text };
    let mut requirements = Vec::new();
    if parser.peek() == Token::End {
        return Ok(requirements);
    }
    loop {
        requirements.push(parser.requirement()?);
        match parser.next() {
            Token::End => return Ok(requirements),
            Token::Symbol(",") => {}
            found => return Err(syntax("',' or the end", found)),
        }
    }
}

fn syntax(expected: &'static str, found: Token<'_>) -> SelectorError {
    SelectorError::Syntax { expected, found: found.text() }
}

struct Parser<'t> {
    rest: &'t str,
}

impl<'t> Parser<'t> {
    fn next(&mut self) -> Token<'t> {
        let space = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
        let symbol = |c: char| matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<');
        self.rest = self.rest.trim_start_matches(space);
        let length = match self.rest.as_bytes() {
            // Go's lexer treats NUL as the end of a token or of the text.
            [] | [b'\0', ..] => return Token::End,
            [b'!' | b'=', b'=', ..] => 2,
            [byte, ..] if symbol(char::from(*byte)) => 1,
            _ => {
                let end = self.rest.find(|c| c == '\0' || space(c) || symbol(c)).unwrap_or(self.rest.len());
                return Token::Word(self.take(end));
            }
        };
        Token::Symbol(self.take(length))
    }

    fn take(&mut self, length: usize) -> &'t str {
        let (token, rest) = self.rest.split_at(length);
        self.rest = rest.strip_prefix('\0').unwrap_or(rest);
        token
    }

    fn peek(&self) -> Token<'t> {
        Parser { rest: self.rest }.next()
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let negated = self.peek() == Token::Symbol("!");
        if negated {
            self.next();
        }
        let key = match self.next() {
            Token::Word(key) => key,
            found => return Err(syntax("a key", found)),
        };
        if negated {
            return Requirement::new(key, Test::DoesNotExist);
        }
        // As in Kubernetes, an invalid key is reported before an invalid operator.
        let exists = Requirement::new(key, Test::Exists)?;
        if matches!(self.peek(), Token::End | Token::Symbol(",")) {
            return Ok(exists);
        }
        let test = match self.next() {
            Token::Word("in") => Test::In(self.values()?),
            Token::Word("notin") => Test::NotIn(self.values()?),
            Token::Symbol("=") => Test::Equals(self.value()?),
            Token::Symbol("==") => Test::DoubleEquals(self.value()?),
            Token::Symbol("!=") => Test::NotEquals(self.value()?),
            Token::Symbol(">") => Test::GreaterThan(self.value()?),
            Token::Symbol("<") => Test::LessThan(self.value()?),
            found => return Err(syntax("one of in, notin, =, ==, !=, >, <", found)),
        };
        Requirement::new(key, test)
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        match self.peek() {
            Token::End | Token::Symbol(",") => Ok(String::new()),
            Token::Word(value) => {
                self.next();
                Ok(value.to_owned())
            }
            found @ Token::Symbol(_) => Err(syntax("a value", found)),
        }
    }

    /// The values of `in` and `notin`, sorted and without duplicates. Two adjacent commas enclose an empty value.
    fn values(&mut self) -> Result<Vec<String>, SelectorError> {
        match self.next() {
            Token::Symbol("(") => {}
            found => return Err(syntax("'('", found)),
        }
        let mut values = BTreeSet::new();
        loop {
            match self.peek() {
                Token::Word(value) => {
                    self.next();
                    values.insert(value.to_owned());
                }
                Token::Symbol("," | ")") => {
                    values.insert(String::new());
                }
                found => return Err(syntax("a value, ',' or ')'", found)),
            }
            match self.next() {
                Token::Symbol(")") => return Ok(values.into_iter().collect()),
                Token::Symbol(",") => {}
                found => return Err(syntax("',' or ')'", found)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::selector::Selector;

    #[test]
    fn selectors_are_parsed_and_printed_as_in_kubernetes() {
        let cases: &[(&str, Result<&str, ()>)] = &[
            ("", Ok("")),
            ("  ", Ok("")),
            ("a", Ok("a")),
            (" a , b ", Ok("a,b")),
            ("!a", Ok("!a")),
            ("! a", Ok("!a")),
            ("a=b", Ok("a=b")),
            ("a = b", Ok("a=b")),
            ("a==b", Ok("a==b")),
            ("a!=b", Ok("a!=b")),
            ("a=", Ok("a=")),
            ("a=,b", Ok("a=,b")),
            ("b=1,a=2", Ok("a=2,b=1")),
            ("a in (z,y,z)", Ok("a in (y,z)")),
            ("a in(y)", Ok("a in (y)")),
            ("a notin (y, x)", Ok("a notin (x,y)")),
            ("a in ()", Ok("a in ()")),
            ("a in (,)", Ok("a in ()")),
            ("a in (x,)", Ok("a in (,x)")),
            ("a in (,x)", Ok("a in (,x)")),
            ("a in (x,,y)", Ok("a in (,x,y)")),
            ("in in (in,notin)", Ok("in in (in,notin)")),
            ("notin", Ok("notin")),
            ("a=in", Ok("a=in")),
            ("a>1", Ok("a>1")),
            ("a<1,a>0", Ok("a<1,a>0")),
            ("a\0\0,,", Ok("a")),
            ("a\0=b", Ok("a=b")),
            (",", Err(())),
            ("a,", Err(())),
            (",a", Err(())),
            ("a,,b", Err(())),
            ("!", Err(())),
            ("!!a", Err(())),
            ("!a=b", Err(())),
            ("a b", Err(())),
            ("a=b c", Err(())),
            ("a===b", Err(())),
            ("a=!b", Err(())),
            ("a in x", Err(())),
            ("a in (x", Err(())),
            ("a in (x y)", Err(())),
            ("a in (!x)", Err(())),
            ("a in ((x))", Err(())),
            ("a>x", Err(())),
            ("a>", Err(())),
            ("a=b/c", Err(())),
            ("a/b/c", Err(())),
            ("a=ü", Err(())),
            ("(a)", Err(())),
        ];
        for (text, expected) in cases {
            let got = text.parse::<Selector>().map(|selector| selector.to_string()).map_err(|_| ());
            assert_eq!(got.as_deref(), expected.as_deref(), "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_printed_selector_parses_to_itself(text in "[ab!=,() <>in1]{0,20}") {
            if let Ok(selector) = text.parse::<Selector>() {
                proptest::prop_assert_eq!(selector.to_string().parse(), Ok(selector));
            }
        }
    }
}
