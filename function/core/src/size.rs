//! Sizes in bytes in the notation of Prometheus: `10MiB`, `1KiB512B`.
//!
//! Follows `Base2Bytes` of the Go module alecthomas/units, which Prometheus uses. `KB` and `KiB` are both 1024 bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A number of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(i64);

/// Prefixes of the units. Each unit is 1024 times the previous unit.
const PREFIXES: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a size such as 10MiB: {0:?}")]
pub struct SizeError(String);

impl Size {
    /// A size from bytes.
    #[must_use]
    pub const fn from_bytes(bytes: i64) -> Self {
        Self(bytes)
    }

    /// The size in bytes.
    #[must_use]
    pub const fn as_bytes(self) -> i64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        // As in Go, a text has either units such as `KB` or units such as `KiB`, never both.
        parse(text, "iB").or_else(|| parse(text, "B")).map(Self).ok_or_else(|| SizeError(text.to_owned()))
    }
}

fn parse(text: &str, suffix: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    match rest {
        "0" => return Some(0),
        "" => return None,
        _ => {}
    }
    let mut bytes = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        bytes += (digits_value(whole)? + digits_value(fraction)? / 10f64.powi(i32::try_from(fraction.len()).ok()?))
            * unit_bytes(unit, suffix)?;
        rest = after;
    }
    // Go compares with the largest int64 as a float, which rounds up to 2^63. A size of 2^63 would wrap, so it is
    // rejected.
    #[allow(clippy::cast_possible_truncation, reason = "checked to be within range")]
    (bytes < 9_223_372_036_854_775_808.0).then(|| if negative { -(bytes as i64) } else { bytes as i64 })
}

/// The value of digits as a float. `None` if the value is so large that the Go module rejects it.
fn digits_value(digits: &str) -> Option<f64> {
    // From this value on, `leadingInt` in `util.go` of the Go module rejects another digit.
    const LIMIT: i64 = (i64::MAX - 9) / 10;
    let mut value: i64 = 0;
    for digit in digits.bytes() {
        if value >= LIMIT {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    #[allow(clippy::cast_precision_loss, reason = "as in Go")]
    Some(value as f64)
}

fn unit_bytes(unit: &str, suffix: &str) -> Option<f64> {
    if unit == "B" {
        return Some(1.0);
    }
    let prefix = unit.strip_suffix(suffix).filter(|prefix| !prefix.is_empty())?;
    let power = PREFIXES.iter().position(|known| *known == prefix)?;
    Some(1024f64.powi(i32::try_from(power).ok()?))
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0B");
        }
        let mut parts = Vec::new();
        let mut rest = self.0;
        for prefix in PREFIXES {
            let part = rest % 1024;
            if part != 0 {
                parts.push(format!("{part}{prefix}{}", if prefix.is_empty() { "B" } else { "iB" }));
            }
            rest /= 1024;
        }
        parts.iter().rev().try_for_each(|part| f.write_str(part))
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_sizes_are_parsed_and_formatted() {
        let cases: &[(&str, Result<&str, ()>)] = &[
            ("0", Ok("0B")),
            ("10MB", Ok("10MiB")),
            ("10MiB", Ok("10MiB")),
            ("1024KB", Ok("1MiB")),
            ("1.5KiB", Ok("1KiB512B")),
            ("1KB1B", Ok("1KiB1B")),
            ("1KiB1B", Ok("1KiB1B")),
            ("1KiB1KB", Err(())),
            ("-1KB", Ok("-1KiB")),
            (".5KB", Ok("512B")),
            ("7EiB", Ok("7EiB")),
            ("8EiB", Err(())),
            ("", Err(())),
            ("-", Err(())),
            ("10", Err(())),
            ("10kB", Err(())),
            ("10 MB", Err(())),
            ("1..5KB", Err(())),
            (".KB", Err(())),
            ("B", Err(())),
            ("99999999999999999999B", Err(())),
        ];
        for (text, expected) in cases {
            let got = text.parse::<Size>().map(|parsed| parsed.to_string()).map_err(|_| ());
            assert_eq!(got.as_deref(), expected.as_deref(), "{text:?}");
        }
    }
}
