//! `iq4_nl`: 16 fixed levels, and the scale that fits the chosen ones best. No search: what the cache path stores.
//!
//! A block whose extreme is below 1e-15 gets scale 0, and its codes are whatever the block before it left in the
//! encoder's buffer (they decode to 0 all the same); the first block starts from code 0.

use super::{BLOCK, half_split, joined, num};
use crate::codec::reference::Arithmetic;
use crate::codec::tables::IQ4_NL_LEVELS as LEVELS;

const LEAST_EXTREME: f32 = 1e-15;

pub(in crate::codec) const IQ4_NL: Arithmetic = Arithmetic::finite(
    |_, _, values, out| {
        let mut codes = [0u8; BLOCK];
        for block in values.as_chunks::<BLOCK>().0 {
            let extreme = num::first_extreme(block);
            let d = if extreme.abs() < LEAST_EXTREME { 0.0 } else { fit(block, extreme, &mut codes) };
            out.extend(num::f16_bytes(d));
            out.extend(half_split(&codes));
        }
    },
    |_, row, out| {
        for [d0, d1, codes @ ..] in row.as_chunks::<18>().0 {
            let d = num::f16_value([*d0, *d1]);
            out.extend(joined(codes).map(|q| d * level(q)));
        }
    },
);

/// Chooses codes at the scale that puts the extreme on the lowest level, then refits the scale: Σw·q·x / Σw·q² with
/// w = x². The codes are not chosen again.
fn fit(block: &[f32; BLOCK], extreme: f32, codes: &mut [u8; BLOCK]) -> f32 {
    let id = 1.0 / (extreme / level(0));
    let (mut qx, mut qq) = (0.0f32, 0.0f32);
    for (x, code) in block.iter().zip(codes) {
        *code = nearest(id * x);
        let (q, w) = (level(*code), x * x);
        qx += w * q * x;
        qq += w * q * q;
    }
    qx / qq
}

fn level(code: u8) -> f32 {
    f32::from(LEVELS.get(usize::from(code)).copied().unwrap_or_default())
}

/// The nearest level; half-way goes up.
fn nearest(x: f32) -> u8 {
    let mut code = 0;
    for (low, high) in (0..15).map(|c| (c, c + 1)) {
        if x - level(low) >= level(high) - x {
            code = high;
        }
    }
    code
}
