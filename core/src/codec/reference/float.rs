//! f32, f16 and bf16, little-endian. Infinities and NaN are stored as they are.

use super::{Arithmetic, NonFinite};
use half::{bf16, f16};

const fn stored(
    encode: fn(super::Route, usize, &[f32], &mut Vec<u8>),
    decode: fn(usize, &[u8], &mut Vec<f32>),
) -> Arithmetic {
    Arithmetic { non_finite: NonFinite::Stored, ..Arithmetic::finite(encode, decode) }
}

pub(in crate::codec) const F32: Arithmetic = stored(
    |_, _, values, out| out.extend(values.iter().flat_map(|x| x.to_le_bytes())),
    |_, row, out| out.extend(row.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
);

/// Half to even; magnitudes of 65520 and more become infinite.
pub(in crate::codec) const F16: Arithmetic = stored(
    |_, _, values, out| out.extend(values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes())),
    |_, row, out| out.extend(row.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
);

/// Half to even.
pub(in crate::codec) const BF16: Arithmetic = stored(
    |_, _, values, out| out.extend(values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes())),
    |_, row, out| out.extend(row.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
);
