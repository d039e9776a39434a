//! The values of plain scalars, and the texts of values.
//!
//! Input: a plain scalar, or a value. Output: its value, or its text. Follows `resolve.go` and the encoder of
//! `yaml.v2`: a value is converted to text in its canonical form, so the label value `010` becomes `8`.

use std::borrow::Cow;

use serde_json::{Number, Value};

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        // JSON does not have these numbers. The text is the one that the encoder prints.
        ".nan" | ".NaN" | ".NAN" => return ".nan".into(),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return ".inf".into(),
        "-.inf" | "-.Inf" | "-.INF" => return "-.inf".into(),
        _ => {}
    }
    let number = match text.as_bytes() {
        [b'0'..=b'9' | b'+' | b'-', ..] => {
            let plain = text.replace('_', "");
            integer(&plain).or_else(|| float(&plain))
        }
        [b'.', ..] => float(text),
        _ => None,
    };
    number.map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

/// The value of a plain scalar in a manifest. `kubectl` converts manifests to JSON.
///
/// JSON has no `.inf` and `.nan`. A float without a fraction becomes an integer, so an integer field accepts `1e6`.
/// DIFFERENCE(manifest-letters): `y` and `n` stay texts, see [`letters_to_booleans`].
pub(super) fn resolve_for_json(text: &str) -> Option<Value> {
    if matches!(text, "y" | "Y" | "n" | "N") {
        return Some(text.into());
    }
    match resolve(text) {
        Value::String(read) if matches!(read.as_str(), ".inf" | "-.inf" | ".nan") && is_special(text) => None,
        Value::Number(number) if number.is_f64() => Some(Value::Number(whole(&number).unwrap_or(number))),
        value => Some(value),
    }
}

/// Converts `y` and `n` to booleans, as `kubectl` does. `kubectl` refuses an object with the name `n`, so this
/// conversion is only a second attempt.
pub fn letters_to_booleans(value: &mut Value) {
    match value {
        Value::String(text) if matches!(text.as_str(), "y" | "Y") => *value = Value::Bool(true),
        Value::String(text) if matches!(text.as_str(), "n" | "N") => *value = Value::Bool(false),
        Value::Array(list) => list.iter_mut().for_each(letters_to_booleans),
        Value::Object(map) => map.values_mut().for_each(letters_to_booleans),
        _ => {}
    }
}

fn is_special(text: &str) -> bool {
    matches!(text.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str(), ".inf" | ".nan")
}

/// The integer that equals a float. `None` if there is none.
fn whole(number: &Number) -> Option<Number> {
    let value = number.as_f64()?;
    (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then(|| {
        #[allow(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        let whole = value as i64;
        Number::from(whole)
    })
}

/// Parses an integer with the prefixes of Go: `0x`, `0o`, `0b`, and a leading zero for octal.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    if !digits.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return None;
    }
    if text.starts_with('+') || negative {
        let value = i128::from_str_radix(digits, radix).ok()?;
        return i64::try_from(if negative { -value } else { value }).ok().map(Number::from);
    }
    u64::from_str_radix(digits, radix).ok().map(Number::from)
}

/// Parses a decimal number with a fraction or an exponent. A number without a fraction becomes an integer.
fn float(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    if !digits(whole) || !digits(fraction) || !digits(exponent) || exponent.is_empty() {
        return None;
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    integer(&float_text(value)).or_else(|| Number::from_f64(value))
}

/// The text of a scalar: `true`, `8`, `1e+06`. `None` for lists and maps.
#[must_use]
pub fn to_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::Number(number) if number.is_f64() => Cow::Owned(float_text(number.as_f64().unwrap_or_default())),
        Value::Number(number) => Cow::Owned(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Cow::Borrowed(""),
    }
}

/// A float as `%g` of Go prints it: the shortest digits, and an exponent from 1e6 or below 1e-4.
fn float_text(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_read_as_the_peer_reads_them() {
        let cases = [
            ("yes", "true"),
            ("Off", "false"),
            ("yEs", "yEs"),
            ("010", "8"),
            ("08", "8"),
            ("0x1F", "31"),
            ("-0x1F", "-31"),
            ("0b11", "3"),
            ("0o17", "15"),
            ("1_000", "1000"),
            ("+5", "5"),
            ("-0", "0"),
            ("1.0", "1"),
            ("1.50", "1.5"),
            (".5", "0.5"),
            ("1e3", "1000"),
            ("-1.5e-7", "-1.5e-07"),
            ("100000.0", "100000"),
            ("1e6", "1e+06"),
            ("1234567.5", "1.2345675e+06"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e999", "1e999"),
            ("1.2.3.4", "1.2.3.4"),
            ("2020-01-01", "2020-01-01"),
            ("15s", "15s"),
            ("-", "-"),
            (".", "."),
            ("0x", "0x"),
            ("1e", "1e"),
            ("1:30", "1:30"),
            ("+.Inf", ".inf"),
            ("null", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(to_text(&resolve(text)), expected, "{text}");
        }
    }
}
