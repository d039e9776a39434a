//! Parses a pattern in Go's syntax (Go package `regexp/syntax`, with Perl flags).
//!
//! Input: the text of a pattern. Output: its syntax tree as `Hir` of the crate regex-syntax, or the error that Go
//! gives. The parser of regex-syntax cannot be used, because it accepts other patterns than Go. This parser does not
//! recurse, so no pattern can exhaust the stack.

use regex_syntax::hir::{Dot, Hir, Look, Repetition};

use super::RegexError;
use super::class::{self, CharacterSet};
use super::tree::{Flags, GroupKind, Node, NodeKind, OpenGroup, check_height};

/// Maximum number of repetitions of the innermost expression: the limit of Go.
const MAX_REPEAT: u32 = 1000;

/// Maximum length of a pattern in bytes. Limits the time to parse the pattern of a tenant.
const MAX_TEXT: usize = 512 << 10;

/// Maximum number of character ranges in a pattern. A class such as `\pL` has hundreds of ranges in three bytes of
/// text.
const MAX_RANGES: usize = 2 << 20;

/// A pattern that Go accepts.
pub(super) struct Parsed {
    pub(super) hir: Hir,
    /// The names of the groups. Index 0 is the whole match.
    pub(super) group_names: Vec<Option<Box<str>>>,
}

pub(super) fn parse(pattern: &str) -> Result<Parsed, RegexError> {
    if pattern.len() > MAX_TEXT {
        return Err(RegexError::TooLarge);
    }
    let mut parser = Parser {
        rest: pattern,
        flags: Flags::default(),
        group: OpenGroup::new(GroupKind::Outermost, Flags::default()),
        outer: Vec::new(),
        group_names: vec![None],
        ranges: 0,
    };
    parser.run()?;
    Ok(Parsed { hir: parser.group.finish()?.into_hir(), group_names: parser.group_names })
}

struct Parser<'p> {
    rest: &'p str,
    flags: Flags,
    group: OpenGroup,
    /// The open groups around `group`, the innermost last.
    outer: Vec<OpenGroup>,
    group_names: Vec<Option<Box<str>>>,
    ranges: usize,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), RegexError> {
        let mut after_repetition = false;
        while let Some(c) = self.rest.chars().next() {
            let repeated = match c {
                '*' => self.repetition(1, 0, None, after_repetition)?,
                '+' => self.repetition(1, 1, None, after_repetition)?,
                '?' => self.repetition(1, 0, Some(1), after_repetition)?,
                '{' => match counts(self.rest) {
                    Some((length, min, max)) => self.repetition(length, min, max, after_repetition)?,
                    None => self.atom(c)?,
                },
                _ => self.atom(c)?,
            };
            after_repetition = repeated;
        }
        if self.outer.is_empty() { Ok(()) } else { Err(RegexError::MissingParenthesis) }
    }

    /// Parses an expression other than a repetition. Always returns false: the expression is not a repetition.
    fn atom(&mut self, c: char) -> Result<bool, RegexError> {
        match c {
            '(' if self.rest.starts_with("(?") => self.group_start()?,
            '(' => {
                self.skip(1);
                self.open_capture(None);
            }
            ')' => {
                self.skip(1);
                let outer = self.outer.pop().ok_or(RegexError::UnexpectedParenthesis)?;
                let group = std::mem::replace(&mut self.group, outer);
                self.flags = group.flags;
                self.group.push(group.finish()?);
            }
            '|' => {
                self.skip(1);
                self.group.end_alternative()?;
            }
            '[' => self.class()?,
            '\\' => self.escape()?,
            '^' => self.look(1, if self.flags.multi_line { Look::StartLF } else { Look::Start }),
            '$' => self.look(1, if self.flags.multi_line { Look::EndLF } else { Look::End }),
            '.' => {
                self.skip(1);
                let dot = if self.flags.dot_matches_newline { Dot::AnyChar } else { Dot::AnyCharExceptLF };
                self.group.push(Node::leaf(Hir::dot(dot)));
            }
            _ => {
                self.skip(c.len_utf8());
                self.literal(u32::from(c))?;
            }
        }
        Ok(false)
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.skip(c.len_utf8());
        Some(c)
    }

    fn look(&mut self, length: usize, look: Look) {
        self.skip(length);
        self.group.push(Node::leaf(Hir::look(look)));
    }

    fn literal(&mut self, code: u32) -> Result<(), RegexError> {
        let mut set = CharacterSet::default();
        set.add(code, code, self.flags.fold_case);
        match char::from_u32(code) {
            Some(c) if set.cost() == 1 => {
                self.group.push(Node { kind: NodeKind::Literal(c.into()), height: 1, copies: 1 });
                Ok(())
            }
            // A surrogate is not a `char`. The set of it is empty later, because no text contains a surrogate.
            _ => self.set(set),
        }
    }

    fn set(&mut self, set: CharacterSet) -> Result<(), RegexError> {
        self.count(&set)?;
        self.group.push(Node::leaf(set.into_hir()));
        Ok(())
    }

    fn count(&mut self, set: &CharacterSet) -> Result<(), RegexError> {
        self.ranges += set.cost();
        if self.ranges > MAX_RANGES { Err(RegexError::TooLarge) } else { Ok(()) }
    }

    /// Parses a repetition of the last atom. `length` is the length of the operator in bytes. Always returns true.
    fn repetition(
        &mut self,
        length: usize,
        min: u32,
        max: Option<u32>,
        after_repetition: bool,
    ) -> Result<bool, RegexError> {
        let (operator, after) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        let most = max.unwrap_or(min);
        if min > MAX_REPEAT || most > MAX_REPEAT || most < min {
            return Err(RegexError::InvalidRepeatCount(operator.into()));
        }
        let lazy = after.starts_with('?');
        self.rest = if lazy { &after[1..] } else { after };
        if after_repetition {
            return Err(RegexError::NestedRepetition(operator.into()));
        }
        let node = self.group.atoms.pop().ok_or_else(|| RegexError::NothingToRepeat(operator.into()))?;

        let counted = operator.starts_with('{');
        let copies = match (counted, max) {
            (true, Some(0)) => 1,
            (true, _) => node.copies.saturating_mul(most.max(1)),
            (false, _) => node.copies,
        };
        if counted && most >= 2 && copies > MAX_REPEAT {
            return Err(RegexError::InvalidRepeatCount(operator.into()));
        }
        let (height, greedy) = (node.height + 1, lazy == self.flags.swap_greed);
        let hir = Hir::repetition(Repetition { min, max, greedy, sub: Box::new(node.into_hir()) });
        // `push` would join literals, but the repetition replaces the atom.
        self.group.atoms.push(check_height(Node { kind: NodeKind::Other(hir), height, copies })?);
        Ok(true)
    }

    fn open_capture(&mut self, name: Option<&str>) {
        let index = u32::try_from(self.group_names.len()).unwrap_or(u32::MAX);
        self.group_names.push(name.map(Into::into));
        self.open(GroupKind::Capturing(index));
    }

    fn open(&mut self, kind: GroupKind) {
        let group = std::mem::replace(&mut self.group, OpenGroup::new(kind, self.flags));
        self.outer.push(group);
    }

    /// Parses a named group, a group with flags, or flags alone. All start with `(?`.
    fn group_start(&mut self) -> Result<(), RegexError> {
        let whole = self.rest;
        if let Some(after) = whole.strip_prefix("(?P<").or_else(|| whole.strip_prefix("(?<")) {
            let invalid = || RegexError::InvalidGroupName(whole.chars().take(32).collect());
            let (name, rest) = after.split_once('>').ok_or_else(invalid)?;
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(invalid());
            }
            self.rest = rest;
            self.open_capture(Some(name));
            return Ok(());
        }

        self.skip(2);
        let mut flags = self.flags;
        let (mut on, mut any_since_sign) = (true, false);
        while let Some(c) = self.next() {
            let flag = match c {
                'i' => &mut flags.fold_case,
                'm' => &mut flags.multi_line,
                's' => &mut flags.dot_matches_newline,
                'U' => &mut flags.swap_greed,
                '-' if on => {
                    (on, any_since_sign) = (false, false);
                    continue;
                }
                ':' | ')' if on || any_since_sign => {
                    if c == ':' {
                        self.open(GroupKind::Plain);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            };
            *flag = on;
            any_since_sign = true;
        }
        let length = whole.len() - self.rest.len();
        Err(RegexError::UnsupportedGroup(whole[..length].into()))
    }

    /// Parses an escape outside of a class.
    fn escape(&mut self) -> Result<(), RegexError> {
        let look = match self.rest.as_bytes().get(1) {
            Some(b'A') => Look::Start,
            Some(b'z') => Look::End,
            Some(b'b') => Look::WordAscii,
            Some(b'B') => Look::WordAsciiNegate,
            Some(b'Q') => {
                let quoted = &self.rest[2..];
                let (text, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                self.rest = rest;
                return text.chars().try_for_each(|c| self.literal(u32::from(c)));
            }
            _ => {
                return match self.class_escape()? {
                    Some(set) => self.set(set),
                    None => {
                        let code = self.character_escape()?;
                        self.literal(code)
                    }
                };
            }
        };
        self.look(2, look);
        Ok(())
    }

    /// Parses a class such as `\d`, `\pL` or `\p{Greek}`. `None` if the text does not start with one.
    fn class_escape(&mut self) -> Result<Option<CharacterSet>, RegexError> {
        let whole = self.rest;
        let mut characters = whole.chars();
        let (Some('\\'), Some(letter)) = (characters.next(), characters.next()) else { return Ok(None) };
        if let 'p' | 'P' = letter {
            let after = characters.as_str();
            let name = match after.strip_prefix('{') {
                Some(braced) => braced.split_once('}').map(|(name, _)| name),
                None => after.chars().next().and_then(|c| after.get(..c.len_utf8())),
            };
            let unknown = || RegexError::UnknownClass(whole.chars().take(32).collect());
            let name = name.ok_or_else(unknown)?;
            self.rest = &after[if after.starts_with('{') { name.len() + 2 } else { name.len() }..];
            return class::unicode(name, letter == 'P', self.flags.fold_case).ok_or_else(unknown).map(Some);
        }
        let set = class::perl(letter, self.flags.fold_case);
        if set.is_some() {
            self.rest = characters.as_str();
        }
        Ok(set)
    }

    /// Parses an escape for one character, such as `\n` or `\x41`, and returns the code point.
    fn character_escape(&mut self) -> Result<u32, RegexError> {
        let whole = self.rest;
        self.skip(1);
        let Some(c) = self.next() else { return Err(RegexError::TrailingBackslash) };
        let octal = |text: &str| text.chars().next().and_then(|c| c.to_digit(8));
        let code = match c {
            // Go rejects a single digit, because other syntaxes read it as a back-reference.
            '1'..='7' if octal(self.rest).is_none() => None,
            '0'..='7' => {
                let mut code = c.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = octal(self.rest) else { break };
                    self.skip(1);
                    code = code * 8 + digit;
                }
                Some(code)
            }
            'x' => self.hexadecimal(),
            'a' => Some(0x07),
            'f' => Some(0x0C),
            'n' => Some(0x0A),
            'r' => Some(0x0D),
            't' => Some(0x09),
            'v' => Some(0x0B),
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
            _ => None,
        };
        let length = whole.len() - self.rest.len();
        code.ok_or_else(|| RegexError::InvalidEscape(whole[..length].into()))
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let mut code = 0;
        match self.next()? {
            '{' => {
                let mut digits = 0;
                loop {
                    match self.next()? {
                        '}' => return (digits > 0).then_some(code),
                        c => code = code * 16 + c.to_digit(16)?,
                    }
                    digits += 1;
                    if code > u32::from(char::MAX) {
                        return None;
                    }
                }
            }
            c => Some(c.to_digit(16)? * 16 + self.next()?.to_digit(16)?),
        }
    }

    fn class(&mut self) -> Result<(), RegexError> {
        let fold_case = self.flags.fold_case;
        let mut set = CharacterSet::default();
        self.skip(1);
        let negated = self.rest.starts_with('^');
        self.skip(usize::from(negated));
        let mut first = true;
        while first || !self.rest.starts_with(']') {
            first = false;
            if let Some((name, rest)) = self.rest.strip_prefix("[:").and_then(|after| after.split_once(":]")) {
                let named = class::posix(name, fold_case);
                set.union(&named.ok_or_else(|| RegexError::UnknownClass(format!("[:{name}:]")))?);
                self.rest = rest;
            } else if let Some(named) = self.class_escape()? {
                set.union(&named);
            } else {
                let whole = self.rest;
                let low = self.class_character()?;
                let mut high = low;
                // A hyphen before the closing bracket is a literal hyphen.
                if self.rest.starts_with('-') && self.rest.len() > 1 && !self.rest.starts_with("-]") {
                    self.skip(1);
                    high = self.class_character()?;
                }
                if high < low {
                    let length = whole.len() - self.rest.len();
                    return Err(RegexError::InvalidRange(whole[..length].into()));
                }
                set.add(low, high, fold_case);
            }
            if set.cost() > MAX_RANGES {
                return Err(RegexError::TooLarge);
            }
        }
        self.skip(1);
        self.set(if negated { set.negated() } else { set })
    }

    fn class_character(&mut self) -> Result<u32, RegexError> {
        if self.rest.starts_with('\\') {
            return self.character_escape();
        }
        self.next().map(u32::from).ok_or(RegexError::MissingBracket)
    }
}

/// The length of `{min}`, `{min,}` or `{min,max}`, and its numbers. `None` for another form, which Go reads as plain
/// text.
fn counts(text: &str) -> Option<(usize, u32, Option<u32>)> {
    let (min, rest) = number(text.strip_prefix('{')?)?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => number(rest).map(|(max, rest)| (Some(max), rest))?,
    };
    let rest = rest.strip_prefix('}')?;
    Some((text.len() - rest.len(), min, max))
}

fn number(text: &str) -> Option<(u32, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(length)?;
    if digits.is_empty() || (length > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(u32::MAX), rest))
}
