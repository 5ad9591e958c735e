//! `mxfp4`: one E8M0 byte, e = ⌊log2 amax⌋ − 2 + 127, then 32 E2M1 codes in nibbles.

use super::{BLOCK, E2M1_DOUBLED, half_split, joined, nearest_e2m1, num};
use crate::codec::reference::Arithmetic;

pub(in crate::codec) const MXFP4: Arithmetic = Arithmetic::finite(
    |_, _, values, out| {
        for block in values.as_chunks::<BLOCK>().0 {
            let amax = num::amax(block);
            let e = if amax > 0.0 { num::low_byte(log2(amax).floor() + 125.0) } else { 0 };
            let d = half_scale(e);
            out.push(e);
            out.extend(half_split(&block.map(|x| nearest_e2m1(x, d))));
        }
    },
    |_, row, out| {
        for [e, codes @ ..] in row.as_chunks::<17>().0 {
            let d = half_scale(*e);
            let value = |q: u8| E2M1_DOUBLED.get(usize::from(q)).copied().unwrap_or_default();
            out.extend(joined(codes).map(|q| f32::from(value(q)) * d));
        }
    },
);

/// log2 rounded once to single precision: just below a power of two it reaches the next integer, as `log2f` does.
#[expect(clippy::cast_possible_truncation, reason = "the rounding to single precision is the point")]
fn log2(x: f32) -> f32 {
    f64::from(x).log2() as f32
}

/// 2^(e − 128): half the E8M0 scale, since the codes' values are kept doubled.
fn half_scale(e: u8) -> f32 {
    let e = u32::from(e);
    f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (e - 1) << 23 })
}
