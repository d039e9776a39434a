//! JSON that a YAML parser reads as the same values.
//!
//! In: JSON of scrape configs. Out: the same JSON with more escapes, or the name that no escape helps.
//! Collectors read `/scrape_configs` with the YAML parser of Go. YAML refuses some characters that JSON allows, takes
//! others for the end of a line, and limits the length of names. One such character made a collector refuse the jobs
//! of everybody.

use std::borrow::Cow;

/// The most characters that a name may have.
///
/// The parser of Go refuses 1,023 and more. See `yaml_simple_key_is_valid` in `scannerc.go` of `go.yaml.in/yaml/v2`.
const MOST_OF_A_NAME: usize = 1_000;

/// Characters that an escape takes, as in `\u007f`.
const ESCAPE: usize = 6;

/// A name that is too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has more than {MOST_OF_A_NAME} characters, which no collector can read, shorten it: {0:?}...")]
pub struct LongName(String);

/// Escapes what YAML does not take as it stands.
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

/// Characters that YAML does not print (see `yaml_parser_update_buffer` in `readerc.go`), ends of lines, and the mark
/// at the beginning of a file.
const fn needs_escape(character: char) -> bool {
    matches!(character, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Refuses names of fields that are too long.
///
/// # Errors
/// The beginning of the first one.
pub fn check_names(json: &str) -> Result<(), LongName> {
    let mut rest = json;
    while let Some((_, text)) = rest.split_once('"') {
        let (text, after) = text.split_at(end(text));
        rest = after.strip_prefix('"').unwrap_or(after);
        if rest.trim_start().starts_with(':') {
            check_name(text)?;
        }
    }
    Ok(())
}

/// Refuses one name that is too long. `name` stands between quotation marks in JSON.
///
/// # Errors
/// Its beginning.
pub fn check_name(name: &str) -> Result<(), LongName> {
    // An escape of one byte takes six characters at most.
    if name.len() * ESCAPE <= MOST_OF_A_NAME {
        return Ok(());
    }
    let length: usize = name.chars().map(|character| if needs_escape(character) { ESCAPE } else { 1 }).sum();
    if length <= MOST_OF_A_NAME { Ok(()) } else { Err(LongName(name.chars().take(40).collect())) }
}

/// Where the text ends at whose beginning this is.
fn end(text: &str) -> usize {
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find(['"', '\\'])) {
        at += found;
        if text[at..].starts_with('"') {
            return at;
        }
        at += 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_yaml_does_not_take_is_escaped_and_the_values_stay() {
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
