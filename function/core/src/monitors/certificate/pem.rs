//! PEM blocks as Go's `pem.Decode` finds them. Malformed blocks are skipped.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

const BEGIN: &str = "-----BEGIN ";
const END: &str = "\n-----END ";
const DASHES: &str = "-----";

/// One decoded block.
pub(super) struct Block<'a> {
    /// The label after `BEGIN`.
    pub label: &'a str,
    /// Whether the block has headers, such as `Proc-Type: 4,ENCRYPTED`.
    pub has_headers: bool,
    /// The decoded bytes.
    pub contents: Vec<u8>,
}

/// Iterates over the blocks of a text.
pub(super) fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let end = rest.find(END)?;
            let (before, trailer) = (&rest[..=end], &rest[end + END.len()..]);
            rest = trailer;
            if let Some(block) = block(before, trailer) {
                rest = line(trailer).1;
                return Some(block);
            }
        }
    })
}

/// Decodes the last block that starts in `before`. `trailer` is the rest of its last line.
fn block<'a>(before: &'a str, trailer: &str) -> Option<Block<'a>> {
    let begin = before.rfind(BEGIN)?;
    if begin > 0 && before.as_bytes()[begin - 1] != b'\n' {
        return None;
    }
    let (first, mut body) = line(&before[begin + BEGIN.len()..]);
    let label = first.strip_suffix(DASHES)?;
    // A header is a line with a colon.
    let mut headers = false;
    while let (header, behind) = line(body)
        && header.contains(':')
    {
        (headers, body) = (true, behind);
    }
    let ends = trailer.strip_prefix(label)?.strip_prefix(DASHES)?;
    if !line(ends).0.is_empty() || headers && body.is_empty() {
        return None;
    }
    let encoded: Vec<u8> = body.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r' | b' ' | b'\t')).collect();
    Some(Block { label, has_headers: headers, contents: BASE64.decode(encoded).ok()? })
}

/// Splits a text after its first line. The line is returned without trailing white space.
fn line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line).trim_end_matches([' ', '\t']), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_as_go_finds_them() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("text", &[]),
            ("-----BEGIN A-----\nYQ==\n-----END A-----", &["A=a"]),
            ("-----BEGIN A-----\r\nYQ==\r\n-----END A-----\r\n", &["A=a"]),
            ("text\n-----BEGIN A-----\nYQ\n==\n-----END A-----  \nmore", &["A=a"]),
            ("-----BEGIN A-----\n-----END A-----\n", &["A="]),
            ("-----BEGIN A-----\nH: 1\n\nYQ==\n-----END A-----\n", &["A=a"]),
            ("-----BEGIN A-----\nH: 1\n-----END A-----\n", &[]),
            ("-----BEGIN A-----\n-----BEGIN B-----\nYg==\n-----END B-----\n", &["B=b"]),
            ("-----BEGIN A-----\nYQ==\n-----END B-----\n-----BEGIN B-----\nYg==\n-----END B-----\n", &["B=b"]),
            ("-----BEGIN A-----\n?\n-----END A-----\n-----BEGIN B-----\nYg==\n-----END B-----\n", &["B=b"]),
            ("-----BEGIN A-----\nYQ==\n-----END A-----x\n", &[]),
            ("x-----BEGIN A-----\nYQ==\n-----END A-----\n", &[]),
            ("-----BEGIN A----\nYQ==\n-----END A-----\n", &[]),
            ("-----BEGIN A-----\nYQ==-----END A-----\n", &[]),
            ("-----BEGIN A-----\nYQ==\n-----END A-----\n-----BEGIN B-----\nYg==\n-----END B-----", &["A=a", "B=b"]),
        ];
        for (text, expected) in cases {
            let got: Vec<String> = blocks(text)
                .map(|block| format!("{}={}", block.label, String::from_utf8_lossy(&block.contents)))
                .collect();
            assert_eq!(got, *expected, "{text:?}");
        }
    }
}
