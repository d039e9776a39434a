//! Lists of targets as JSON text. They are concatenated, because the JSON texts of the targets already exist.

use std::iter::{once, repeat};

use target_allocator_core::targets::Text;

/// A JSON string. `write` appends the escaped text inside the quotes.
pub fn quoted(write: impl FnOnce(&mut String)) -> String {
    let mut body = String::from('"');
    write(&mut body);
    body.push('"');
    body
}

/// Writes a list of texts with a total size of `bytes`.
pub fn list<'a>(texts: impl Iterator<Item = Text<'a>>, bytes: usize, body: &mut String) {
    // Without the reservation, a large body would be copied each time it grows.
    body.reserve(bytes + 2);
    body.push('[');
    for (text, separator) in texts.zip(separators()) {
        body.push_str(separator);
        text.pieces().iter().for_each(|piece| body.push_str(piece));
    }
    body.push(']');
}

/// The separator before each item of a list.
pub fn separators() -> impl Iterator<Item = &'static str> {
    once("").chain(repeat(","))
}
