//! Lists of targets as JSON text, which is written by hand: the texts of the targets are there already.

use std::iter::{once, repeat};

use target_allocator_core::targets::Text;

/// A JSON string. `write` writes the text inside the quotes, already escaped.
pub fn quoted(write: impl FnOnce(&mut String)) -> String {
    let mut body = String::from('"');
    write(&mut body);
    body.push('"');
    body
}

/// Writes a list of texts, which take so many bytes.
pub fn list<'a>(texts: impl Iterator<Item = Text<'a>>, bytes: usize, body: &mut String) {
    // Growing would copy a large one again and again.
    body.reserve(bytes + 2);
    body.push('[');
    for (text, separator) in texts.zip(separators()) {
        body.push_str(separator);
        text.pieces().iter().for_each(|piece| body.push_str(piece));
    }
    body.push(']');
}

/// What stands before each item of a list.
pub fn separators() -> impl Iterator<Item = &'static str> {
    once("").chain(repeat(","))
}
