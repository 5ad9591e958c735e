//! Byte figures as they are read: one unit at a time, always labelled, exact on demand.

use crate::planner::state::{Units, View};
use crate::unit::Bytes;
pub use crate::unit::grouped;

/// A figure with its unit: `8.00 GiB`, `149 MiB`, or `8,589,934,592 B`.
#[must_use]
pub fn bytes(bytes: Bytes, view: View) -> String {
    if view.exact_bytes {
        return format!("{} B", grouped(bytes.get()));
    }
    match view.units {
        Units::GiB => crate::unit::Binary(bytes).to_string(),
        Units::GB => {
            let (divisor, name) = decimal_unit(bytes.get());
            format!("{} {name}", rounded(bytes.get(), divisor))
        }
    }
}

/// A figure in GiB or GB without its unit, for rows that name it once: `8.00`, `0.15`, `134`.
#[must_use]
pub fn short(bytes: Bytes, view: View) -> String {
    if view.exact_bytes {
        return grouped(bytes.get());
    }
    rounded(bytes.get(), giga(view.units))
}

/// A difference, with its sign: `+4.00 GiB`.
#[must_use]
pub fn difference(from: Bytes, to: Bytes, view: View) -> String {
    match to.get().checked_sub(from.get()) {
        Some(more) => format!("+{}", self::bytes(Bytes::new(more), view)),
        None => format!("-{}", self::bytes(Bytes::new(from.get() - to.get()), view)),
    }
}

/// An estimated rate: `~53`, `~1,204`, `~4.2`; tenths below ten, for an estimate has no more.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second < 10.0 {
        return format!("~{per_second:.1}");
    }
    let digits = format!("{per_second:.0}");
    format!("~{}", digits.parse().map_or(digits, grouped))
}

/// The bytes of one GiB or GB.
#[must_use]
pub const fn giga(units: Units) -> u64 {
    match units {
        Units::GiB => 1 << 30,
        Units::GB => 1_000_000_000,
    }
}

const fn decimal_unit(n: u64) -> (u64, &'static str) {
    match n {
        0..1_000 => (1, "B"),
        1_000..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        1_000_000_000..1_000_000_000_000 => (1_000_000_000, "GB"),
        1_000_000_000_000.. => (1_000_000_000_000, "TB"),
    }
}

/// Three digits, computed on integers and rounded half up.
fn rounded(n: u64, divisor: u64) -> String {
    let decimals: u32 = match n / divisor {
        _ if divisor == 1 => 0,
        0..10 => 2,
        10..100 => 1,
        100.. => 0,
    };
    let scale = 10u128.pow(decimals);
    let scaled = (u128::from(n) * scale + u128::from(divisor / 2)) / u128::from(divisor);
    match decimals {
        0 => scaled.to_string(),
        1 => format!("{}.{}", scaled / scale, scaled % scale),
        _ => format!("{}.{:02}", scaled / scale, scaled % scale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_bought_in_gb_and_read_in_gib() {
        let card = Bytes::new(34_190_917_632); // 32,607 MiB, as the driver reports a "32 GB" card
        let view = |units| View { units, ..View::default() };
        assert_eq!(bytes(card, view(Units::GiB)), "31.8 GiB");
        assert_eq!(bytes(card, view(Units::GB)), "34.2 GB");
        assert_eq!(short(card, view(Units::GiB)), "31.8");
        assert_eq!(bytes(card, View { exact_bytes: true, ..View::default() }), "34,190,917,632 B");
    }

    #[test]
    fn a_rate_has_no_more_digits_than_an_estimate() {
        assert_eq!([4.23, 53.4, 1203.9].map(rate), ["~4.2", "~53", "~1,204"]);
    }

    #[test]
    fn differences_carry_their_sign() {
        let (small, large) = (Bytes::new(1 << 30), Bytes::new(5 << 30));
        assert_eq!(difference(small, large, View::default()), "+4.00 GiB");
        assert_eq!(difference(large, small, View::default()), "-4.00 GiB");
    }
}
