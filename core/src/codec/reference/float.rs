//! f32, f16 and bf16, little-endian. Infinities and NaN are stored as they are.

use super::{Arithmetic, NonFinite};
use half::{bf16, f16};

pub(in crate::codec) const F32: Arithmetic = Arithmetic {
    encode: |_, _, values, out| out.extend(values.iter().flat_map(|x| x.to_le_bytes())),
    decode: |_, row, out| out.extend(row.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
    non_finite: NonFinite::Stored,
};

/// Half to even; magnitudes of 65520 and more become infinite.
pub(in crate::codec) const F16: Arithmetic = Arithmetic {
    encode: |_, _, values, out| out.extend(values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes())),
    decode: |_, row, out| out.extend(row.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32())),
    non_finite: NonFinite::Stored,
};

/// Half to even.
pub(in crate::codec) const BF16: Arithmetic = Arithmetic {
    encode: |_, _, values, out| out.extend(values.iter().flat_map(|x| bf16::from_f32(*x).to_le_bytes())),
    decode: |_, row, out| out.extend(row.as_chunks().0.iter().map(|b| bf16::from_le_bytes(*b).to_f32())),
    non_finite: NonFinite::Stored,
};
