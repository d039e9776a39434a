//! Escapes all texts on pages.
//!
//! Input: a text that a tenant may have written. Output: HTML that shows exactly this text. Characters that change the
//! text direction, have no width or control terminals appear as escapes such as `\u{202e}`.

use std::fmt::{self, Write};
use std::ops::RangeInclusive;

use askama::filters::{Escaper, Html};

/// The escaper of all texts on pages. `askama.toml` sets it for all templates.
#[derive(Clone, Copy)]
pub struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        let mut rest = string;
        while let Some((at, hidden)) = rest.char_indices().find(|(_, c)| is_hidden(*c)) {
            Html.write_escaped_str(&mut dest, &rest[..at])?;
            write!(dest, "{}", hidden.escape_unicode())?;
            rest = &rest[at + hidden.len_utf8()..];
        }
        Html.write_escaped_str(dest, rest)
    }
}

/// Characters without width, or that change how other characters appear, outside of the control characters.
const INVISIBLE: [RangeInclusive<char>; 9] = [
    '\u{ad}'..='\u{ad}',
    '\u{61c}'..='\u{61c}',
    '\u{180e}'..='\u{180e}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{e0000}'..='\u{e007f}',
];

fn is_hidden(c: char) -> bool {
    !c.is_ascii_graphic()
        && !matches!(c, ' ' | '\n' | '\t')
        && (c.is_control() || INVISIBLE.iter().any(|range| range.contains(&c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped() {
        let cases = [
            ("", ""),
            ("a b\tc\nd", "a b\tc\nd"),
            ("zażółć 漢字 עברית 👍", "zażółć 漢字 עברית 👍"),
            ("<b>&\"'", "&#60;b&#62;&#38;&#34;&#39;"),
            ("\u{202e}<a\u{2067}", "\\u{202e}&#60;a\\u{2067}"),
            ("a\u{200b}\u{feff}\u{ad}", "a\\u{200b}\\u{feff}\\u{ad}"),
            ("\u{0}\u{1b}[31m\r", "\\u{0}\\u{1b}[31m\\u{d}"),
            ("\u{85}\u{2028}\u{e0041}", "\\u{85}\\u{2028}\\u{e0041}"),
        ];
        for (text, expected) in cases {
            let mut found = String::new();
            Visible.write_escaped_str(&mut found, text).unwrap();
            assert_eq!(found, expected, "{text:?}");
        }
    }
}
