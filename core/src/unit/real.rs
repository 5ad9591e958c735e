//! Decimal numbers that are no counts: shares, ratios, rates. The standard library reads and rounds them with tables of
//! ten kilobytes that do not compress, more than what figures of a few digits are worth in a module that a browser loads.

/// A decimal number: digits with an optional sign, point and power of ten. `None` for what is none, or not finite.
///
/// The nearest double where there are at most 15 digits and the power of ten they stand for is at most 22 in size (W. D.
/// Clinger, "How to read floating point numbers accurately", 1990: both are exact, and are multiplied or divided once);
/// beyond that it may be some units in the last place off.
///
/// ```
/// # use kvplan_core::unit::parse_real;
/// assert_eq!(parse_real("-0.25"), Some(-0.25));
/// ```
#[must_use]
pub fn parse_real(text: &str) -> Option<f64> {
    /// More digits would not fit 64 bits, and are far below a double's last place.
    const FULL: u64 = 1_000_000_000_000_000_000;
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let (number, mut power) = match text.split_once(['e', 'E']) {
        Some((number, power)) => (number, power.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut digits: u64 = 0;
    for (written, step) in [(whole, 0), (fraction, 1)] {
        for digit in written.chars() {
            let digit = digit.to_digit(10)?;
            if digits < FULL {
                digits = digits * 10 + u64::from(digit);
                power = power.saturating_sub(step);
            } else {
                power = power.saturating_add(1 - step);
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "said above: past 15 digits the nearest is not promised")]
    let value = sign * shifted(digits as f64, power);
    value.is_finite().then_some(value)
}

/// The number of `digits` decimal digits nearest to `x`; `x` itself where that is zero or not finite.
#[must_use]
pub fn rounded(x: f64, digits: u32) -> f64 {
    if !x.is_normal() {
        return x;
    }
    let most = shifted(1.0, digits.cast_signed());
    let mut power = 0i32;
    while shifted(x, power).abs() >= most {
        power = power.saturating_sub(1);
    }
    while shifted(x, power.saturating_add(1)).abs() < most {
        power = power.saturating_add(1);
    }
    shifted(shifted(x, power).round_ties_even(), power.saturating_neg())
}

/// `x` × 10^`power`.
fn shifted(x: f64, power: i32) -> f64 {
    if power < 0 { x / 10f64.powi(power.saturating_neg()) } else { x * 10f64.powi(power) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fifteen_digits_are_read_as_the_standard_library_reads_them(
            digits in -999_999_999_999_999i64..=999_999_999_999_999,
            power in -22i32..=22,
        ) {
            let text = format!("{digits}e{power}");
            prop_assert_eq!(parse_real(&text), text.parse().ok());
        }

        #[test]
        fn a_point_anywhere_changes_nothing(whole in 0u32.., fraction in "[0-9]{1,5}") {
            let text = format!("{whole}.{fraction}");
            prop_assert_eq!(parse_real(&text), text.parse().ok());
        }

        #[test]
        fn four_digits_are_those_that_the_standard_library_writes(x in 1e-9f64..1e12) {
            prop_assert_eq!(rounded(x, 4), format!("{x:.3e}").parse::<f64>().unwrap());
        }
    }

    #[test]
    fn what_is_no_number_is_not_read_as_one() {
        for text in ["", ".", "-", "e5", "1e", "1.2.3", "0x10", "1,5", " 1", "inf", "NaN", "1e999"] {
            assert_eq!(parse_real(text), None, "{text} was accepted");
        }
    }

    #[test]
    fn digits_past_the_nineteenth_keep_the_number_where_it_is() {
        let third = parse_real("0.33333333333333333333333333").unwrap();
        assert!((third - 1.0 / 3.0).abs() < 1e-15);
        assert_eq!(parse_real("100000000000000000000000"), Some(1e23));
    }

    #[test]
    fn zero_and_what_is_not_finite_stay() {
        assert_eq!(rounded(0.0, 4).to_bits(), 0);
        assert_eq!(rounded(f64::INFINITY, 4), f64::INFINITY);
        assert_eq!(rounded(9_999.6, 4), 10_000.0);
    }
}
