//! Quantities of the Kubernetes API (`1.1`, `1100m`, `2Ki`) as floats.
//!
//! Follows `ParseQuantity` and `Quantity.AsApproximateFloat64` in `pkg/api/resource/quantity.go` of
//! k8s.io/apimachinery. As there, digits smaller than nano are rounded up.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A quantity, approximated by a float.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Quantity(f64);

/// The decimal suffixes with their powers of ten.
const DECIMAL: [(&str, i32); 10] =
    [("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];

/// The binary suffixes with their powers of two.
const BINARY: [(&str, u32); 6] = [("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

/// The smallest power of ten in a quantity.
const NANO: i32 = -9;

impl Quantity {
    /// The value as a float.
    #[must_use]
    pub const fn as_f64(self) -> f64 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let digits = format!("0{whole}{fraction}");
        let fraction_digits = i32::try_from(fraction.len()).ok()?;
        let magnitude = if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == suffix) {
            scaled(&digits, *power, -fraction_digits)?
        } else {
            scaled(&digits, 0, decimal_exponent(suffix)?.checked_sub(fraction_digits)?)?
        };
        // The operator also accepts infinite values, and then fails to serve anything, because JSON has no infinity.
        magnitude.is_finite().then_some(Self(if negative { -magnitude } else { magnitude }))
    }
}

/// Computes `digits * 2^binary * 10^exponent`. Rounds up to a multiple of nano.
fn scaled(digits: &str, binary: u32, exponent: i32) -> Option<f64> {
    if exponent < NANO {
        let value: u128 = digits.parse::<u128>().ok()?.checked_shl(binary)?;
        let divisor = 10u128.checked_pow(exponent.abs_diff(NANO));
        let rounded = divisor.map_or(u128::from(value > 0), |divisor| value.div_ceil(divisor));
        return product(&rounded.to_string(), NANO);
    }
    match digits.parse::<u128>().ok().and_then(|value| value.checked_mul(1u128.checked_shl(binary)?)) {
        Some(value) => product(&value.to_string(), exponent),
        None => product(digits, exponent).map(|value| value * 2f64.powi(i32::try_from(binary).unwrap_or(i32::MAX))),
    }
}

/// Multiplies two floats, like apimachinery. The result can differ from the float nearest to the exact product.
fn product(digits: &str, exponent: i32) -> Option<f64> {
    let base: f64 = digits.parse().ok()?;
    if exponent == 0 {
        return Some(base);
    }
    let power: f64 = format!("1e{exponent}").parse().ok()?;
    Some(base * power)
}

fn decimal_exponent(suffix: &str) -> Option<i32> {
    if let Some((_, exponent)) = DECIMAL.iter().find(|(name, _)| *name == suffix) {
        return Some(*exponent);
    }
    suffix.strip_prefix(['e', 'E'])?.parse().ok()
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct QuantityVisitor;

        impl Visitor<'_> for QuantityVisitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a quantity such as 1.1 or 1100m")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
                Quantity::parse(text).ok_or_else(|| E::custom(format_args!("not a quantity: {text:?}")))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Quantity, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Quantity, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Quantity, E> {
                self.visit_str(&value.to_string())
            }
        }

        deserializer.deserialize_any(QuantityVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_parsed_like_in_apimachinery() {
        let cases = [
            ("0", Some(0.0)),
            ("1", Some(1.0)),
            ("1.1", Some(1.1)),
            ("+1.10", Some(1.1)),
            ("-1.5", Some(-1.5)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1100m", Some(1.1)),
            ("2k", Some(2000.0)),
            ("1e3", Some(1000.0)),
            ("1E-3", Some(0.001)),
            ("1Ki", Some(1024.0)),
            ("1.5Ki", Some(1536.0)),
            ("1n", Some(1e-9)),
            // Smaller values are rounded up to nano.
            ("0.1n", Some(1e-9)),
            ("0.0000000011", Some(2e-9)),
            ("1e-30", Some(1e-9)),
            ("0e-30", Some(0.0)),
            ("", None),
            ("-", None),
            (".", None),
            ("1.1.1", None),
            ("1K", None),
            ("1 k", None),
            ("1ki", None),
            ("much", None),
            // Not finite, so not representable in JSON. Found by fuzzing.
            ("0e2151", None),
            ("1e400", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Quantity::parse(text).map(Quantity::as_f64), expected, "{text}");
        }
        let numbers: Vec<Quantity> = serde_json::from_str("[1, 1.1, \"1.1\"]").unwrap();
        assert_eq!(numbers, [Quantity(1.0), Quantity(1.1), Quantity(1.1)]);
    }
}
