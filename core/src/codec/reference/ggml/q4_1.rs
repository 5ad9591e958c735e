//! `q4_1`: d = (max − min)/15 and m = min as f16; codes ⌊(x − min)/d + 0.5⌋, at most 15, stored in nibbles.

use super::{BLOCK, half_split, joined, num};
use crate::codec::reference::Arithmetic;

pub(in crate::codec) const Q4_1: Arithmetic = Arithmetic::finite(
    |_, _, values, out| {
        for block in values.as_chunks::<BLOCK>().0 {
            let (min, max) = num::range(block);
            let d = (max - min) / 15.0;
            let id = num::reciprocal(d);
            out.extend(num::f16_bytes(d));
            out.extend(num::f16_bytes(min));
            out.extend(half_split(&block.map(|x| num::low_byte((x - min) * id + 0.5).min(15))));
        }
    },
    |_, row, out| {
        for [d0, d1, m0, m1, codes @ ..] in row.as_chunks::<20>().0 {
            let (d, m) = (num::f16_value([*d0, *d1]), num::f16_value([*m0, *m1]));
            out.extend(joined(codes).map(|q| f32::from(q) * d + m));
        }
    },
);
