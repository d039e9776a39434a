//! Whether Kubernetes would read a text as a label selector or a field selector.
//!
//! Follows `labels.Parse` and `fields.ParseSelector` of k8s.io/apimachinery. Only
//! checks: matching is the discovery's.

/// Why a text is not a selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the message says it")]
pub enum SelectorError {
    #[error("field selector has a part that is not field=value or field!=value: {0:?}")]
    FieldTerm(String),
    #[error("label selector cannot be read at: {0:?}")]
    LabelSyntax(String),
    #[error("label selector has an invalid label name: {0:?}")]
    LabelName(String),
    #[error("label selector has an invalid label value: {0:?}")]
    LabelValue(String),
    #[error("label selector compares with something that is not a whole number: {0:?}")]
    NotANumber(String),
}

/// Refuses what is not a field selector.
///
/// # Errors
/// The part at fault.
pub fn check_fields(text: &str) -> Result<(), SelectorError> {
    let mut escaped = false;
    let commas = |c: char| {
        let separates = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        separates
    };
    for term in text.split(commas).filter(|term| !term.is_empty()) {
        check_field_term(term).ok_or_else(|| SelectorError::FieldTerm(term.to_owned()))?;
    }
    Ok(())
}

fn check_field_term(term: &str) -> Option<()> {
    let at = term.find('=')?;
    let value = &term[at + 1..];
    // `!` alone is part of the name; after `!=` a further `=` is part of the value.
    let after_operator = match term[..at].ends_with('!') {
        true => value,
        false => value.strip_prefix('=').unwrap_or(value),
    };
    let mut chars = after_operator.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if matches!(chars.next()?, '\\' | ',' | '=') => {}
            '\\' | ',' | '=' => return None,
            _ => {}
        }
    }
    Some(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    End,
    Word(&'a str),
    Symbol(&'a str),
}

/// Refuses what is not a label selector.
///
/// # Errors
/// The part at fault.
pub fn check_labels(text: &str) -> Result<(), SelectorError> {
    let mut tokens = Tokens { rest: text };
    if tokens.peek() == Token::End {
        return Ok(());
    }
    loop {
        check_requirement(&mut tokens)?;
        match tokens.next() {
            Token::End => return Ok(()),
            Token::Symbol(",") => {}
            other => return Err(unexpected(other)),
        }
    }
}

fn check_requirement(tokens: &mut Tokens<'_>) -> Result<(), SelectorError> {
    let negated = tokens.peek() == Token::Symbol("!");
    if negated {
        tokens.next();
    }
    let name = tokens.word()?;
    if !is_label_name(name) {
        return Err(SelectorError::LabelName(name.to_owned()));
    }
    if matches!(tokens.peek(), Token::End | Token::Symbol(",")) || negated {
        return Ok(());
    }
    match tokens.next() {
        Token::Symbol("=" | "==" | "!=") => check_exact_value(tokens).and_then(check_value),
        Token::Symbol("<" | ">") => {
            let value = check_exact_value(tokens)?;
            check_value(value)?;
            value.parse::<i64>().map(drop).map_err(|_| SelectorError::NotANumber(value.to_owned()))
        }
        Token::Word("in" | "notin") => check_values(tokens),
        other => Err(unexpected(other)),
    }
}

fn check_exact_value<'a>(tokens: &mut Tokens<'a>) -> Result<&'a str, SelectorError> {
    match tokens.peek() {
        Token::End | Token::Symbol(",") => Ok(""),
        _ => tokens.word(),
    }
}

/// `(a,b,,c)`: values may be empty.
fn check_values(tokens: &mut Tokens<'_>) -> Result<(), SelectorError> {
    match tokens.next() {
        Token::Symbol("(") => {}
        other => return Err(unexpected(other)),
    }
    loop {
        match tokens.next() {
            Token::Symbol(")") => return Ok(()),
            Token::Symbol(",") => {}
            Token::Word(value) => {
                check_value(value)?;
                if !matches!(tokens.peek(), Token::Symbol("," | ")")) {
                    return Err(unexpected(tokens.next()));
                }
            }
            other => return Err(unexpected(other)),
        }
    }
}

fn check_value(value: &str) -> Result<(), SelectorError> {
    if value.is_empty() || is_name_part(value) {
        return Ok(());
    }
    Err(SelectorError::LabelValue(value.to_owned()))
}

fn unexpected(token: Token<'_>) -> SelectorError {
    SelectorError::LabelSyntax(match token {
        Token::End => String::new(),
        Token::Word(text) | Token::Symbol(text) => text.to_owned(),
    })
}

struct Tokens<'a> {
    rest: &'a str,
}

const SYMBOLS: [char; 7] = ['=', '!', '(', ')', ',', '<', '>'];

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> Token<'a> {
        Self { rest: self.rest }.next()
    }

    fn next(&mut self) -> Token<'a> {
        let rest = self.rest.trim_start_matches(is_space);
        let length = match rest.chars().next() {
            None => 0,
            Some(c) if SYMBOLS.contains(&c) => {
                if ["==", "!="].iter().any(|long| rest.starts_with(long)) {
                    2
                } else {
                    1
                }
            }
            Some(_) => rest.find(|c| is_space(c) || SYMBOLS.contains(&c)).unwrap_or(rest.len()),
        };
        let (token, rest) = rest.split_at(length);
        self.rest = rest;
        match token.chars().next() {
            None => Token::End,
            Some(c) if SYMBOLS.contains(&c) => Token::Symbol(token),
            Some(_) => Token::Word(token),
        }
    }

    fn word(&mut self) -> Result<&'a str, SelectorError> {
        match self.next() {
            Token::Word(word) => Ok(word),
            other => Err(unexpected(other)),
        }
    }
}

/// `[prefix/]name`: the prefix a DNS subdomain, the name up to 63 letters, digits and `-_.`.
fn is_label_name(text: &str) -> bool {
    match text.split_once('/') {
        None => is_name_part(text),
        Some((prefix, name)) => is_subdomain(prefix) && is_name_part(name),
    }
}

fn is_name_part(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= 63
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        let bytes = part.as_bytes();
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_selectors_are_read_as_kubernetes_reads_them() {
        let cases = [
            ("", true),
            ("  ", true),
            ("app", true),
            ("!app", true),
            ("! app", true),
            ("app=web", true),
            ("app==web,tier!=db", true),
            ("app=", true),
            ("app=,tier", true),
            ("app in (a,b)", true),
            ("app in (a,,b)", true),
            ("app in ()", true),
            ("app in (,)", true),
            ("app notin (in)", true),
            ("in in (in)", true),
            ("x>1", true),
            ("x<-1", false),
            ("x>a", false),
            ("x>", false),
            ("example.com/app=web", true),
            ("Example.com/app", false),
            ("a/b/c", false),
            ("app=we b", false),
            ("app=web,", false),
            (",app", false),
            ("app in a", false),
            ("app in (a", false),
            ("app in (a b)", false),
            ("app=-a", false),
            ("app=a/b", false),
            ("!app=web", false),
            ("app!", false),
            ("app===web", false),
            ("(app)", false),
        ];
        for (text, valid) in cases {
            assert_eq!(check_labels(text).is_ok(), valid, "{text:?}: {:?}", check_labels(text));
        }
    }

    #[test]
    fn field_selectors_are_read_as_kubernetes_reads_them() {
        let cases = [
            ("", true),
            ("metadata.name=a", true),
            ("spec.nodeName==a,status.phase!=Running", true),
            ("a=", true),
            ("=a", true),
            (",a=b,", true),
            (r"a=b\,c", true),
            (r"a=b\=c", true),
            ("a", false),
            ("a=b=c", false),
            ("a!=b=c", false),
            (r"a=b\c", false),
            (r"a=b\", false),
        ];
        for (text, valid) in cases {
            assert_eq!(check_fields(text).is_ok(), valid, "{text:?}");
        }
    }
}
