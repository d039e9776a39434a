//! Durations in the notation of Prometheus: `1h30m`, `15s`, `500ms`.
//!
//! Follows `ParseDuration` and `Duration.String` in `model/time.go` of prometheus/common, and `ParseDuration` in
//! `time/format.go` of Go.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in whole milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    milliseconds: u64,
}

/// Units with their milliseconds, from the largest to the smallest. A duration has each unit at most once, in this
/// order.
const UNITS: [(&str, u64); 7] = [
    ("y", 31_536_000_000),
    ("w", 604_800_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of Go's `time.ParseDuration` with their nanoseconds. Go accepts both Unicode characters for micro.
const GO_UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Multiplies the decimal `number` by `size`. `None` if it is not a number, or the result is too large.
fn scaled(number: &str, size: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.checked_mul(size)? };
    // Digits after the 19th are less than a nanosecond, even of an hour.
    let digits = fraction.get(..19).unwrap_or(fraction);
    let fraction = if digits.is_empty() {
        0
    } else {
        let scale = 10_u128.pow(u32::try_from(digits.len()).ok()?);
        u64::try_from(digits.parse::<u128>().ok()? * u128::from(size) / scale).ok()?
    };
    if number.bytes().filter(|byte| *byte == b'.').count() > 1 { None } else { whole.checked_add(fraction) }
}

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is empty.
    #[error("empty duration string")]
    Empty,
    /// The text does not have the form `1h30m`.
    #[error("not a valid duration string: {0:?}")]
    Malformed(String),
    /// The duration is longer than an `int64` of nanoseconds, which Go uses.
    #[error("duration out of range: {0:?}")]
    OutOfRange(String),
}

impl Duration {
    /// A duration from milliseconds.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self { milliseconds }
    }

    /// A duration from seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self { milliseconds: seconds * 1_000 }
    }

    /// Parses a duration like Go's `time.ParseDuration` (`1h30m`, `1.5s`), rounded down to milliseconds.
    ///
    /// # Errors
    /// [`DurationError`] if the text has another form, is negative, or has days, weeks or years.
    pub fn parse_go(text: &str) -> Result<Self, DurationError> {
        let malformed = || DurationError::Malformed(text.to_owned());
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self::default());
        }
        let mut nanoseconds: u64 = 0;
        while !rest.is_empty() {
            let number_end = rest.find(|c: char| c != '.' && !c.is_ascii_digit()).ok_or_else(malformed)?;
            let (number, tail) = rest.split_at(number_end);
            let unit_end = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit_end);
            let (_, size) = GO_UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
            let part = scaled(number, *size).ok_or_else(malformed)?;
            nanoseconds = nanoseconds.checked_add(part).ok_or_else(|| DurationError::OutOfRange(text.to_owned()))?;
            rest = tail;
        }
        match (text, i64::try_from(nanoseconds)) {
            ("" | "+", _) => Err(DurationError::Empty),
            (_, Ok(_)) => Ok(Self::from_millis(nanoseconds / 1_000_000)),
            (_, Err(_)) => Err(DurationError::OutOfRange(text.to_owned())),
        }
    }

    /// The duration in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.milliseconds
    }

    /// Whether the duration is zero.
    #[must_use]
    pub const fn is_zero(&self) -> bool {
        self.milliseconds == 0
    }
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        match text {
            "" => return Err(DurationError::Empty),
            "0" => return Ok(Self::default()),
            _ => {}
        }
        let malformed = || DurationError::Malformed(text.to_owned());
        let out_of_range = || DurationError::OutOfRange(text.to_owned());
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
            if digits == 0 {
                return Err(malformed());
            }
            let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
            let (_, size) = units.find(|(name, _)| *name == unit).ok_or_else(malformed)?;
            let number: u64 = number.parse().map_err(|_| out_of_range())?;
            total = number.checked_mul(*size).and_then(|part| total.checked_add(part)).ok_or_else(out_of_range)?;
            rest = &rest[digits + letters..];
        }
        // Go stores nanoseconds in an int64 and rejects longer durations.
        if total > i64::MAX.unsigned_abs() / 1_000_000 {
            return Err(out_of_range());
        }
        Ok(Self::from_millis(total))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0s");
        }
        let mut rest = self.milliseconds;
        for (unit, size) in UNITS {
            // As in prometheus/common, years and weeks are used only for whole multiples: 90d is easier to read than
            // 12w6d.
            let exact_only = matches!(unit, "y" | "w");
            if rest >= size && (!exact_only || rest.is_multiple_of(size)) {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_durations_are_parsed_and_formatted() {
        let cases: &[(&str, Result<&str, ()>)] = &[
            ("0", Ok("0s")),
            ("0s", Ok("0s")),
            ("15s", Ok("15s")),
            ("60s", Ok("1m")),
            ("90s", Ok("1m30s")),
            ("1h30m", Ok("1h30m")),
            ("24h", Ok("1d")),
            ("25h", Ok("1d1h")),
            ("7d", Ok("1w")),
            ("8d", Ok("8d")),
            ("365d", Ok("1y")),
            ("366d", Ok("366d")),
            ("1500ms", Ok("1s500ms")),
            ("1y2w3d4h5m6s7ms", Ok("382d4h5m6s7ms")),
            ("", Err(())),
            ("1", Err(())),
            ("s", Err(())),
            ("1s1m", Err(())),
            ("1s1s", Err(())),
            ("1.5s", Err(())),
            ("-1s", Err(())),
            ("1S", Err(())),
            (" 1s", Err(())),
            ("1µs", Err(())),
            ("300y", Err(())),
            ("99999999999999999999s", Err(())),
        ];
        for (text, expected) in cases {
            let got = text.parse::<Duration>().map(|parsed| parsed.to_string()).map_err(|_| ());
            assert_eq!(got.as_deref(), expected.as_deref(), "{text:?}");
        }
    }

    #[test]
    fn go_durations_are_parsed() {
        let cases: &[(&str, Option<&str>)] = &[
            ("30s", Some("30s")),
            ("1m30s", Some("1m30s")),
            ("1m0s", Some("1m")),
            ("1h0m0.5s", Some("1h500ms")),
            ("1.5h", Some("1h30m")),
            (".5s", Some("500ms")),
            ("5.s", Some("5s")),
            ("1500us", Some("1ms")),
            ("1500\u{b5}s", Some("1ms")),
            ("10ns", Some("0s")),
            ("0", Some("0s")),
            ("+5s", Some("5s")),
            ("", None),
            ("+", None),
            (".s", None),
            ("1..5s", None),
            ("30", None),
            ("1d", None),
            ("-5s", None),
            ("5 s", None),
            ("s", None),
            ("9999999999h", None),
        ];
        for (text, expected) in cases {
            let got = Duration::parse_go(text).ok().map(|parsed| parsed.to_string());
            assert_eq!(got.as_deref(), *expected, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_formatted_duration_parses_to_itself(milliseconds in 0..=i64::MAX.unsigned_abs() / 1_000_000) {
            let duration = Duration::from_millis(milliseconds);
            proptest::prop_assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }
}
