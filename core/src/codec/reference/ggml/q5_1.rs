//! `q5_1`: d = (max − min)/31 and m = min as f16; codes ⌊(x − min)/d + 0.5⌋: fifth bits in a u32, the rest in nibbles.

use super::{BLOCK, fifth_bits, five_bits, half_split, num};
use crate::codec::reference::Arithmetic;

pub(in crate::codec) const Q5_1: Arithmetic = Arithmetic::finite(
    |_, _, values, out| {
        for block in values.as_chunks::<BLOCK>().0 {
            let (min, max) = num::range(block);
            let d = (max - min) / 31.0;
            let id = num::reciprocal(d);
            let codes = block.map(|x| num::low_byte((x - min) * id + 0.5));
            out.extend(num::f16_bytes(d));
            out.extend(num::f16_bytes(min));
            out.extend(fifth_bits(&codes).to_le_bytes());
            out.extend(half_split(&codes));
        }
    },
    |_, row, out| {
        for [d0, d1, m0, m1, h0, h1, h2, h3, codes @ ..] in row.as_chunks::<24>().0 {
            let (d, m) = (num::f16_value([*d0, *d1]), num::f16_value([*m0, *m1]));
            out.extend(five_bits([*h0, *h1, *h2, *h3], codes).map(|q| f32::from(q) * d + m));
        }
    },
);
