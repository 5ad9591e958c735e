//! FP8: E4M3 without infinities and E5M2, half to even, saturating (OCP 8-bit floating point specification 1.0).
//!
//! Scales lie outside the cache; these are the codes at scale 1, and with [`Codec::encode_scaled`] those of x/scale, which
//! is how vLLM's cache kernels divide. Saturation is what `cvt.rn.satfinite` does on the
//! engines' hardware: everything past the largest value, infinities included, becomes the largest value. NaN is `0x7f`.

use super::{Arithmetic, NonFinite, num};
#[cfg(doc)]
use crate::codec::Codec;

/// A sign bit, `7 - mantissa` exponent bits and `mantissa` bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct MiniFloat {
    mantissa: u32,
    bias: i32,
    /// Code of the largest finite magnitude.
    largest: u32,
    /// Code of infinity, where the format has one; what else lies past the largest is NaN.
    infinity: Option<u32>,
}

pub(super) const E4M3_FN: MiniFloat = MiniFloat { mantissa: 3, bias: 7, largest: 0x7e, infinity: None };
const E5M2_IEEE: MiniFloat = MiniFloat { mantissa: 2, bias: 15, largest: 0x7b, infinity: Some(0x7c) };
const NAN: u8 = 0x7f;

impl MiniFloat {
    pub(super) fn encode(self, x: f32) -> u8 {
        if x.is_nan() {
            return NAN;
        }
        let sign = if x.is_sign_negative() { 0x80 } else { 0 };
        let bits = x.abs().to_bits();
        let drop = 23 - self.mantissa;
        let exponent = i32::from(num::byte(bits >> 23)) - 127;
        let magnitude = if exponent < 1 - self.bias {
            // Subnormal: the code counts multiples of the smallest step, a power of two, so scaling is exact.
            let step = 2f32.powi(1 - self.bias - self.mantissa.cast_signed());
            u32::from(num::code((x.abs() / step).round_ties_even()))
        } else {
            let half_less_one = (1 << (drop - 1)) - 1;
            let rounded = (bits + half_less_one + ((bits >> drop) & 1)) >> drop;
            rounded - ((127 - self.bias).cast_unsigned() << self.mantissa)
        };
        num::byte(magnitude.min(self.largest)) | sign
    }

    pub(super) fn decode(self, code: u8) -> f32 {
        let magnitude = u32::from(code & 0x7f);
        let (exponent, fraction) = (magnitude >> self.mantissa, magnitude & ((1 << self.mantissa) - 1));
        let value = if magnitude > self.largest {
            if self.infinity == Some(magnitude) { f32::INFINITY } else { f32::NAN }
        } else if exponent == 0 {
            f32::from(num::byte(fraction)) * 2f32.powi(1 - self.bias - self.mantissa.cast_signed())
        } else {
            let biased = exponent + (127 - self.bias).cast_unsigned();
            f32::from_bits(biased << 23 | fraction << (23 - self.mantissa))
        };
        if code & 0x80 == 0 { value } else { -value }
    }
}

const fn arithmetic(
    encode: fn(super::Route, usize, &[f32], &mut Vec<u8>),
    decode: fn(usize, &[u8], &mut Vec<f32>),
) -> Arithmetic {
    Arithmetic { non_finite: NonFinite::Stored, ..Arithmetic::finite(encode, decode) }.divided()
}

pub(in crate::codec) const E4M3: Arithmetic = arithmetic(
    |_, _, values, out| out.extend(values.iter().map(|x| E4M3_FN.encode(*x))),
    |_, row, out| out.extend(row.iter().map(|code| E4M3_FN.decode(*code))),
);

/// The same, for formats that store nothing but finite numbers.
pub(super) const E4M3_FINITE: Arithmetic = Arithmetic::finite(E4M3.encode, E4M3.decode);

pub(in crate::codec) const E5M2: Arithmetic = arithmetic(
    |_, _, values, out| out.extend(values.iter().map(|x| E5M2_IEEE.encode(*x))),
    |_, row, out| out.extend(row.iter().map(|code| E5M2_IEEE.decode(*code))),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e4m3_has_the_landmarks_of_the_ocp_table() {
        let value = |code| E4M3_FN.decode(code);
        assert_eq!(value(0x7e), 448.0, "largest");
        assert_eq!(value(0x08), 2f32.powi(-6), "smallest normal");
        assert_eq!(value(0x07), 0.875 * 2f32.powi(-6), "largest subnormal");
        assert_eq!(value(0x01), 2f32.powi(-9), "smallest subnormal");
        assert!(value(0x7f).is_nan() && value(0xff).is_nan());
        assert_eq!(value(0x80).to_bits(), (-0.0f32).to_bits());
    }

    #[test]
    fn e5m2_has_the_landmarks_of_the_ocp_table() {
        let value = |code| E5M2_IEEE.decode(code);
        assert_eq!(value(0x7b), 57344.0, "largest");
        assert_eq!(value(0x04), 2f32.powi(-14), "smallest normal");
        assert_eq!(value(0x03), 0.75 * 2f32.powi(-14), "largest subnormal");
        assert_eq!(value(0x01), 2f32.powi(-16), "smallest subnormal");
        assert_eq!(value(0x7c), f32::INFINITY);
        assert_eq!(value(0xfc), f32::NEG_INFINITY);
        assert!([0x7d, 0x7e, 0x7f].into_iter().all(|code| value(code).is_nan()));
    }

    /// Every value lies between two neighbours of the format; the nearer one wins, and of two equally near the even code.
    fn every_midpoint_goes_to_the_even_code(format: MiniFloat) {
        let largest = num::byte(format.largest);
        for low in 0..largest {
            let (a, b) = (format.decode(low), format.decode(low + 1));
            // Neighbours are within 5 bits of each other, so the midpoint is exact.
            let middle = (a + b) / 2.0;
            let even = if low % 2 == 0 { low } else { low + 1 };
            assert_eq!(format.encode(middle), even, "between {a} and {b}");
            assert_eq!(format.encode(middle.next_down()), low);
            assert_eq!(format.encode(middle.next_up()), low + 1);
            assert_eq!(format.encode(-middle), even | 0x80);
            assert_eq!(format.encode(a), low);
        }
        assert_eq!(format.encode(f32::INFINITY), largest);
        assert_eq!(format.encode(f32::NEG_INFINITY), largest | 0x80);
        assert_eq!(format.encode(f32::MAX), largest);
        assert_eq!(format.encode(f32::from_bits(1)), 0);
        assert_eq!(format.encode(f32::NAN), 0x7f);
    }

    #[test]
    fn e4m3_rounds_half_to_even_and_saturates() {
        every_midpoint_goes_to_the_even_code(E4M3_FN);
    }

    #[test]
    fn e5m2_rounds_half_to_even_and_saturates() {
        every_midpoint_goes_to_the_even_code(E5M2_IEEE);
    }
}
