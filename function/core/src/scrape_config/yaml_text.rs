//! Converts JSON so that a YAML parser reads the same values.
//!
//! Input: JSON of scrape configs. Output: the JSON with more escapes, or the name that is too long for YAML. Collectors
//! read `/scrape_configs` with the YAML parser of Go. YAML refuses some characters that JSON allows, reads others as
//! the end of a line, and limits the length of names. Without escapes, one such character makes a collector refuse all
//! jobs.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

/// Maximum number of characters of a name.
///
/// The parser of Go refuses names of 1,023 characters and more. See `yaml_simple_key_is_valid` in `scannerc.go` of
/// `go.yaml.in/yaml/v2`.
const MOST_OF_A_NAME: usize = 1_000;

/// Number of characters of an escape such as `\u007f`.
const ESCAPE: usize = 6;

/// A name that is too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has more than {MOST_OF_A_NAME} characters, which no collector can read, shorten it: {0:?}...")]
pub struct LongName(String);

/// Escapes all characters that YAML refuses or reads in another way.
#[must_use]
pub fn escape(json: &str) -> Cow<'_, str> {
    let Some(first) = json.find(needs_escape) else { return Cow::Borrowed(json) };
    let mut text = String::with_capacity(json.len() + 2 * ESCAPE);
    let (before, rest) = json.split_at(first);
    text.push_str(before);
    for character in rest.chars() {
        if needs_escape(character) {
            text.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            text.push(character);
        }
    }
    Cow::Owned(text)
}

/// Whether YAML refuses the character (see `yaml_parser_update_buffer` in `readerc.go`), or reads it as the end of a
/// line or as a byte order mark.
const fn needs_escape(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Refuses JSON in which the name of a field is too long.
///
/// # Errors
/// The beginning of the first such name.
pub fn check_names(json: &str) -> Result<(), LongName> {
    let mut rest = json;
    while let Some(start) = memchr(b'"', rest.as_bytes()) {
        let text = &rest[start + 1..];
        let (text, after) = text.split_at(end(text));
        rest = after.strip_prefix('"').unwrap_or(after);
        if rest.trim_ascii_start().starts_with(':') {
            check_name(text)?;
        }
    }
    Ok(())
}

/// Refuses a name that is too long. `name` is the content of a JSON string.
///
/// # Errors
/// The beginning of the name.
pub fn check_name(name: &str) -> Result<(), LongName> {
    // A byte becomes at most one escape, so a name of this length is never too long.
    if name.len() * ESCAPE <= MOST_OF_A_NAME {
        return Ok(());
    }
    let length: usize = name.chars().map(|character| if needs_escape(character) { ESCAPE } else { 1 }).sum();
    if length <= MOST_OF_A_NAME { Ok(()) } else { Err(LongName(name.chars().take(40).collect())) }
}

/// The length of a JSON string up to its closing quotation mark. `text` starts after the opening one.
fn end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at;
        }
        // A backslash and the ASCII character that it escapes.
        at += 2;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn characters_that_yaml_refuses_are_escaped_without_changing_values() {
        let cases = [
            ("plain \u{e9}\u{1f600}\u{e000}\u{a0}", "\"plain \u{e9}\u{1f600}\u{e000}\u{a0}\""),
            ("\u{7f}\u{80}\u{85}\u{9f}", r#""\u007f\u0080\u0085\u009f""#),
            ("\u{2028}a\u{2029}", r#""\u2028a\u2029""#),
            ("\u{feff}\u{fffe}\u{ffff}\u{fffd}", "\"\\ufeff\\ufffe\\uffff\u{fffd}\""),
            ("\0\n\"\\", r#""\u0000\n\"\\""#),
        ];
        for (text, expected) in cases {
            let json = Value::from(text).to_string();
            let escaped = escape(&json);
            assert_eq!(escaped, expected, "{text:?}");
            assert_eq!(serde_json::from_str::<Value>(&escaped).unwrap(), Value::from(text));
        }
    }

    #[test]
    fn long_names_are_refused_and_long_values_are_not() {
        let [most, more] = [MOST_OF_A_NAME, MOST_OF_A_NAME + 1].map(|length| "x".repeat(length));
        let cases = [
            (json!({ most.as_str(): 1 }), true),
            (json!({ more.as_str(): 1 }), false),
            (json!({"a": [{"b": {more.as_str(): 1}}]}), false),
            (json!({"a": more.as_str(), "b": [more.as_str()]}), true),
            (json!({"é".repeat(MOST_OF_A_NAME): 1}), true),
            (json!({"\u{7f}".repeat(MOST_OF_A_NAME / ESCAPE): 1}), true),
            (json!({"\u{7f}".repeat(MOST_OF_A_NAME / ESCAPE + 1): 1}), false),
            (json!({"\n".repeat(MOST_OF_A_NAME / 2 + 1): 1}), false),
            (json!({r#"a\":"#: format!("\\\":{more}"), "\\": "\\\\"}), true),
        ];
        for (value, readable) in cases {
            assert_eq!(check_names(&value.to_string()).is_ok(), readable, "{value}");
        }
    }
}
