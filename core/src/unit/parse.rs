//! Reading quantities as people type them: `128k` tokens, `24GiB`, `16 GB`.

use super::{Bytes, Tokens};

/// A typed quantity that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseQuantityError {
    /// The text does not start with a whole number.
    #[error("`{0}` is not a whole number with an optional unit")]
    NotANumber(String),
    /// The unit after the number is unknown here.
    #[error("unknown unit `{unit}`; use {allowed}")]
    UnknownUnit {
        /// What was written after the number.
        unit: String,
        /// What may be.
        allowed: &'static str,
    },
    /// The number does not fit 64 bits.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Tokens: a whole number, optionally with `k` (1024) or `M` (1024²).
///
/// ```
/// # use kvplan_core::unit::{parse_tokens, Tokens};
/// assert_eq!(parse_tokens("128k"), Ok(Tokens::new(131_072)));
/// ```
///
/// # Errors
/// [`ParseQuantityError`] names what is wrong with the text.
pub fn parse_tokens(text: &str) -> Result<Tokens, ParseQuantityError> {
    scaled(text, "k or M (1024-based)", |unit| match unit {
        "" => Some(1),
        "k" | "K" => Some(1 << 10),
        "m" | "M" => Some(1 << 20),
        _ => None,
    })
    .map(Tokens::new)
}

/// Bytes: a whole number with `KiB MiB GiB TiB` (1024-based), `KB MB GB TB` (1000-based) or `B`.
///
/// ```
/// # use kvplan_core::unit::{parse_bytes, Bytes};
/// assert_eq!(parse_bytes("24GiB"), Ok(Bytes::new(25_769_803_776)));
/// assert_eq!(parse_bytes("24 GB"), Ok(Bytes::new(24_000_000_000)));
/// ```
///
/// # Errors
/// [`ParseQuantityError`] names what is wrong with the text.
pub fn parse_bytes(text: &str) -> Result<Bytes, ParseQuantityError> {
    scaled(text, "B KiB MiB GiB TiB KB MB GB TB", |unit| match unit {
        "" | "B" => Some(1),
        "KiB" => Some(1 << 10),
        "MiB" => Some(1 << 20),
        "GiB" => Some(1 << 30),
        "TiB" => Some(1 << 40),
        "KB" | "kB" => Some(1_000),
        "MB" => Some(1_000_000),
        "GB" => Some(1_000_000_000),
        "TB" => Some(1_000_000_000_000),
        _ => None,
    })
    .map(Bytes::new)
}

fn scaled(
    text: &str,
    allowed: &'static str,
    factor: impl Fn(&str) -> Option<u64>,
) -> Result<u64, ParseQuantityError> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '_' && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    let number = number.replace('_', "");
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    if whole.is_empty() || fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return Err(ParseQuantityError::NotANumber(text.to_owned()));
    }
    let factor =
        factor(unit).ok_or_else(|| ParseQuantityError::UnknownUnit { unit: unit.to_owned(), allowed })?;
    let too_large = || ParseQuantityError::TooLarge(text.to_owned());
    let base = whole.parse::<u64>().map_err(|_| too_large())?.checked_mul(factor).ok_or_else(too_large)?;
    if fraction.is_empty() {
        return Ok(base);
    }
    // A fraction is accepted only where it lands on a whole count: 1.5 GiB is bytes, 0.3 tokens are not tokens.
    let digits = u32::try_from(fraction.len()).ok().filter(|d| *d <= 18).ok_or_else(too_large)?;
    let scale = 10u128.pow(digits);
    let part = fraction.parse::<u128>().map_err(|_| too_large())? * u128::from(factor);
    if part % scale != 0 {
        return Err(ParseQuantityError::NotANumber(text.to_owned()));
    }
    u64::try_from(part / scale).ok().and_then(|p| base.checked_add(p)).ok_or_else(too_large)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_and_m_are_binary_for_tokens() {
        assert_eq!(parse_tokens("128k"), Ok(Tokens::new(131_072)));
        assert_eq!(parse_tokens("1M"), Ok(Tokens::new(1_048_576)));
        assert_eq!(parse_tokens("131_072"), Ok(Tokens::new(131_072)));
    }

    #[test]
    fn gib_and_gb_are_different_units() {
        assert_eq!(parse_bytes("1GiB"), Ok(Bytes::new(1_073_741_824)));
        assert_eq!(parse_bytes("1 GB"), Ok(Bytes::new(1_000_000_000)));
        assert_eq!(parse_bytes("1.5GiB"), Ok(Bytes::new(1_610_612_736)));
    }

    #[test]
    fn nonsense_is_named_not_guessed() {
        for text in ["", "k", "-1", "1.2.3", "12 parsecs", "0.3", "1.", "99999999999999999999"] {
            assert!(parse_tokens(text).is_err(), "{text} was accepted");
        }
    }
}
