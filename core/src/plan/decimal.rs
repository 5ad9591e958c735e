//! Exact ratios of integers, written as decimals.

use serde::{Serialize, Serializer};
use std::fmt;

/// `numerator / denominator`, in lowest terms. Printed exactly where its decimal expansion ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    numerator: u64,
    denominator: u64,
}

impl Decimal {
    /// A ratio; a zero denominator counts as one.
    #[must_use]
    pub const fn ratio(numerator: u64, denominator: u64) -> Self {
        let denominator = if denominator == 0 { 1 } else { denominator };
        let divisor = gcd(numerator, denominator);
        Self { numerator: numerator / divisor, denominator: denominator / divisor }
    }

    /// The integer, if it is one.
    #[must_use]
    pub const fn whole(self) -> Option<u64> {
        if self.denominator == 1 { Some(self.numerator) } else { None }
    }
}

/// Greatest common divisor, at least 1.
#[must_use]
pub(crate) const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

/// Digits after the point at which an expansion that does not end is cut; powers of two up to 2^20 end before it.
const MAX_DIGITS: usize = 20;

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.numerator / self.denominator)?;
        let denominator = u128::from(self.denominator);
        let mut rest = u128::from(self.numerator % self.denominator);
        if rest > 0 {
            f.write_str(".")?;
        }
        for _ in 0..MAX_DIGITS {
            if rest == 0 {
                break;
            }
            rest *= 10;
            write!(f, "{}", rest / denominator)?;
            rest %= denominator;
        }
        Ok(())
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => s.serialize_u64(whole),
            // The shortest decimal that reads back as the nearest double is the exact one while it has ≤ 15 digits.
            None => self.to_string().parse::<f64>().map_err(serde::ser::Error::custom)?.serialize(s),
        }
    }
}

impl schemars::JsonSchema for Decimal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "number", "minimum": 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_per_token_is_written_exactly() {
        assert_eq!(serde_json::to_string(&Decimal::ratio(147_456, 1)).unwrap(), "147456");
        assert_eq!(serde_json::to_string(&Decimal::ratio(5536 * 128 + 4, 128)).unwrap(), "5536.03125");
        assert_eq!(Decimal::ratio(1, 128).to_string(), "0.0078125");
    }
}
