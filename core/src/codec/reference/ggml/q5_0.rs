//! `q5_0`: d = (first extreme)/−16 as f16; codes ⌊x/d + 16.5⌋, at most 31: fifth bits in a u32, the rest in nibbles.

use super::{BLOCK, fifth_bits, five_bits, half_split, num};
use crate::codec::reference::Arithmetic;

pub(in crate::codec) const Q5_0: Arithmetic = Arithmetic::finite(
    |_, _, values, out| {
        for block in values.as_chunks::<BLOCK>().0 {
            let d = num::first_extreme(block) / -16.0;
            let id = num::reciprocal(d);
            let codes = block.map(|x| num::low_byte(x * id + 16.5).min(31));
            out.extend(num::f16_bytes(d));
            out.extend(fifth_bits(&codes).to_le_bytes());
            out.extend(half_split(&codes));
        }
    },
    |_, row, out| {
        for [d0, d1, h0, h1, h2, h3, codes @ ..] in row.as_chunks::<22>().0 {
            let d = num::f16_value([*d0, *d1]);
            out.extend(five_bits([*h0, *h1, *h2, *h3], codes).map(|q| (f32::from(q) - 16.0) * d));
        }
    },
);
