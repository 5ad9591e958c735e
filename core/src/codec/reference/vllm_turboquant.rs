//! vLLM's TurboQuant slots: per token and head a key part, then a value part, padded to an even number of bytes.
//!
//! Keys (`triton_turboquant_store.py`): norm in f32, x/(norm + 1e-8) turned by the plain Hadamard transform, the index of
//! vLLM's own codebook (half-way points go up) as a little-endian bit stream, then the norm in f16. Decoding brings the
//! levels to length 1 (`_nc`). Keys of `k8v4` are plain E4M3. Values: minimum and maximum of the vector, s = (max −
//! min)/(2^b − 1) but at least 1e-8, codes ⌊(v − min)/s + ½⌋ as a bit stream, then s and the minimum in f16.
//!
//! vLLM turns keys with a matrix product; this does it with butterflies, which rounds differently: codes can differ where
//! a coordinate lies within rounding of a cut. FP8 keys are E4B15 on hardware before Hopper, which this does not write.

use super::codebook::{Codebook, Tie};
use super::rotation::walsh_hadamard;
use super::{Arithmetic, Widths, fp8, num};
use crate::codec::tables::{
    VLLM_LEVELS_3_AT_64, VLLM_LEVELS_3_AT_128, VLLM_LEVELS_4_AT_64, VLLM_LEVELS_4_AT_128,
};

const HADAMARD: Widths = Widths::PowerOfTwo { most: 1 << 15 };

pub(in crate::codec) const KEY_FP8: Arithmetic = fp8::E4M3_FINITE;
pub(in crate::codec) const KEY_3: Arithmetic = key::<3>();
pub(in crate::codec) const KEY_4: Arithmetic = key::<4>();
pub(in crate::codec) const VALUE_3: Arithmetic = value::<3>();
pub(in crate::codec) const VALUE_4: Arithmetic = value::<4>();

/// vLLM's codebook for `dim`, a power of two. Its solver scales exactly with powers of four.
fn codebook(bits: u8, dim: usize) -> Codebook {
    let odd = dim.trailing_zeros() % 2 == 1;
    let (half, solved_at): (&[f32], usize) = match (bits, odd) {
        (3, false) => (&VLLM_LEVELS_3_AT_64, 64),
        (3, true) => (&VLLM_LEVELS_3_AT_128, 128),
        (_, false) => (&VLLM_LEVELS_4_AT_64, 64),
        (_, true) => (&VLLM_LEVELS_4_AT_128, 128),
    };
    Codebook::symmetric(half, (num::count(solved_at) / num::count(dim)).sqrt(), Tie::Upper)
}

const fn key<const BITS: u8>() -> Arithmetic {
    Arithmetic {
        widths: HADAMARD,
        ..Arithmetic::finite(
            |_, dim, values, out| {
                let codebook = codebook(BITS, dim);
                for row in values.chunks_exact(dim) {
                    let norm = num::norm(row);
                    let mut y: Vec<f32> = row.iter().map(|x| x / (norm + 1e-8)).collect();
                    walsh_hadamard(&mut y);
                    num::pack(BITS, y.iter().map(|y| codebook.code(*y)), out);
                    out.extend(num::f16_bytes(norm));
                }
            },
            |dim, row, out| {
                let Some((codes, norm)) = row.split_last_chunk() else { return };
                let codebook = codebook(BITS, dim);
                let levels = num::unpack(BITS, codes).take(dim).map(|code| codebook.level(code));
                let mut y: Vec<f32> = levels.collect();
                let square = y.iter().fold(0.0f32, |sum, y| sum + y * y);
                let scale = num::f16_value(*norm) * (1.0 / (square + 1e-16).sqrt());
                walsh_hadamard(&mut y);
                out.extend(y.iter().map(|y| y * scale));
            },
        )
    }
}

/// Values have no restriction of their own, but share a slot with keys that do.
const fn value<const BITS: u8>() -> Arithmetic {
    Arithmetic::finite(
        |_, dim, values, out| {
            let top = f32::from(num::byte((1 << BITS) - 1));
            for row in values.chunks_exact(dim) {
                let (min, max) = num::range(row);
                let scale = ((max - min) / top).max(1e-8);
                let codes = row.iter().map(|v| num::code(((v - min) / scale + 0.5).min(top)));
                num::pack(BITS, codes, out);
                out.extend(num::f16_bytes(scale));
                out.extend(num::f16_bytes(min));
            }
        },
        |dim, row, out| {
            // The slot's padding follows.
            let (codes, meta) = row.split_at((dim * usize::from(BITS)).div_ceil(8).min(row.len()));
            if let Some([s0, s1, m0, m1]) = meta.first_chunk() {
                let (scale, min) = (num::f16_value([*s0, *s1]), num::f16_value([*m0, *m1]));
                out.extend(num::unpack(BITS, codes).take(dim).map(|q| f32::from(q) * scale + min));
            }
        },
    )
}
