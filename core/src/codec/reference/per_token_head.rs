//! vLLM's formats with one f32 scale per token and head: the vector's codes, then the scale.
//!
//! Scales and packing are vLLM's (`triton_reshape_and_cache_flash.py`, `int4_per_token_head.py`). Scales have a floor of
//! 1e-6, so a vector of zeros is stored with that scale. Kernels multiply by an approximate 1/scale where this divides:
//! codes can differ at near ties only. int8 rounds half to even here; which way the engine sends exact ties is open.

use super::rotation::{butterflies, negate};
use super::{Arithmetic, Widths, fp8::E4M3_FN, num};
use crate::codec::tables::VLLM_INT4_SIGNS;

const LEAST_SCALE: f32 = 1e-6;
const SCALE_BYTES: usize = 4;

/// Encodes each vector as one code per byte and its scale = absmax/`largest`.
fn bytes(dim: usize, values: &[f32], largest: f32, out: &mut Vec<u8>, code: impl Fn(f32) -> u8) {
    for row in values.chunks_exact(dim) {
        let scale = (num::amax(row) / largest).max(LEAST_SCALE);
        out.extend(row.iter().map(|x| code(x / scale)));
        out.extend(scale.to_le_bytes());
    }
}

fn byte_values(row: &[u8], out: &mut Vec<f32>, value: impl Fn(u8) -> f32) {
    if let Some((codes, scale)) = row.split_last_chunk::<SCALE_BYTES>() {
        let scale = f32::from_le_bytes(*scale);
        out.extend(codes.iter().map(|code| value(*code) * scale));
    }
}

/// q = clamp(round(x/s), −127, 127), s = absmax/127.
pub(in crate::codec) const INT8: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| {
        bytes(dim, values, 127.0, out, |x| num::low_byte(x.round_ties_even().clamp(-127.0, 127.0)));
    },
    |_, row, out| byte_values(row, out, |code| f32::from(code.cast_signed())),
);

/// E4M3(x/s), s = absmax/448.
pub(in crate::codec) const FP8: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| bytes(dim, values, 448.0, out, |x| E4M3_FN.encode(x)),
    |_, row, out| byte_values(row, out, |code| E4M3_FN.decode(code)),
);

/// Signed Hadamard transform without its 1/√d, then 16 levels between minimum and maximum: s = (max − min)/15, the zero
/// point ⌊−min/s⌉ within 0..=15 and in the low four mantissa bits of the stored scale, q = ⌊x·(1/s) + zp⌉ half away from
/// zero, even elements in the low nibbles. Decoding clears those four bits and rotates back, dividing by d.
///
/// The signs are vLLM's. Its GPU paths run the transform in bf16 and round the result to the model type; this keeps f32
/// throughout, as its CPU path does for a model in f32.
pub(in crate::codec) const INT4: Arithmetic = Arithmetic {
    widths: Widths::PowerOfTwo { most: 512 },
    ..Arithmetic::finite(
        |_, dim, values, out| {
            for row in values.chunks_exact(dim) {
                let mut x = row.to_vec();
                negate(&mut x, &VLLM_INT4_SIGNS);
                butterflies(&mut x);
                let (min, max) = num::range(&x);
                let scale = ((max - min) / 15.0).max(LEAST_SCALE);
                let zero = half_away(-min / scale).clamp(0.0, 15.0);
                let inverse = 1.0 / scale;
                let codes = x.iter().map(|x| num::code(half_away(x * inverse + zero).clamp(0.0, 15.0)));
                num::pack(4, codes, out);
                out.extend((scale.to_bits() & !0x0f | u32::from(num::code(zero))).to_le_bytes());
            }
        },
        |dim, row, out| {
            if let Some((codes, scale)) = row.split_last_chunk::<SCALE_BYTES>() {
                let bits = u32::from_le_bytes(*scale);
                let (scale, zero) = (f32::from_bits(bits & !0x0f), f32::from(num::byte(bits & 0x0f)));
                let mut x: Vec<f32> =
                    num::unpack(4, codes).take(dim).map(|q| (f32::from(q) - zero) * scale).collect();
                butterflies(&mut x);
                negate(&mut x, &VLLM_INT4_SIGNS);
                let d = num::count(dim);
                out.extend(x.iter().map(|x| x / d));
            }
        },
    )
};

/// Adds a half of the value's sign and cuts off, as a kernel's integer conversion does.
fn half_away(x: f32) -> f32 {
    (x + if x >= 0.0 { 0.5 } else { -0.5 }).trunc()
}
