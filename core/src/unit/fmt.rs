//! Printing: binary units, always labelled, never more digits than they deserve.

use super::Bytes;
use std::fmt;

/// A byte count in the largest binary unit that keeps a leading digit: `4.00 GiB`, `512 MiB`, `132 B`.
///
/// The text is for reading; the exact count is printed beside it wherever it matters. Digits are computed on integers
/// (rounded half up), so no float enters.
#[derive(Debug, Clone, Copy)]
pub struct Binary(pub Bytes);

const UNITS: [(&str, u32); 5] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = u128::from(self.0.get());
        let (name, shift) = UNITS.into_iter().find(|(_, s)| n >> s > 0).unwrap_or(("B", 0));
        let text = if shift == 0 {
            format!("{n} B")
        } else {
            let decimals: u32 = match n >> shift {
                0..10 => 2,
                10..100 => 1,
                _ => 0,
            };
            let scale = 10u128.pow(decimals);
            let rounded = (n * scale + (1u128 << (shift - 1))) >> shift;
            if decimals == 0 {
                format!("{rounded} {name}")
            } else {
                let width = usize::try_from(decimals).unwrap_or(2);
                format!("{}.{:0width$} {name}", rounded / scale, rounded % scale)
            }
        };
        f.pad(&text)
    }
}

/// A count with its thousands apart: `147456` as `147,456`.
///
/// ```
/// # use kvplan_core::unit::grouped;
/// assert_eq!(grouped(147_456), "147,456");
/// ```
#[must_use]
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 19_327_352_832].map(grouped), ["0", "999", "1,000", "19,327,352,832"]);
    }

    fn shown(n: u64) -> String {
        Binary(Bytes::new(n)).to_string()
    }

    #[test]
    fn sizes_read_in_binary_units_with_three_digits() {
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(1023), "1023 B");
        assert_eq!(shown(1024), "1.00 KiB");
        assert_eq!(shown(4 << 30), "4.00 GiB");
        assert_eq!(shown(19_327_352_832), "18.0 GiB");
        assert_eq!(shown(749 << 20), "749 MiB");
        assert_eq!(shown(u64::MAX), "16777216 TiB");
    }
}
