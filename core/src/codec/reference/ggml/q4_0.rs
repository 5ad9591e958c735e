//! `q4_0`: d = (first extreme)/−8 as f16; codes ⌊x/d + 8.5⌋, at most 15, stored in nibbles.

use super::{BLOCK, half_split, joined, num};
use crate::codec::reference::Arithmetic;

pub(in crate::codec) const Q4_0: Arithmetic = Arithmetic::finite(
    |_, _, values, out| {
        for block in values.as_chunks::<BLOCK>().0 {
            let d = num::first_extreme(block) / -8.0;
            let id = num::reciprocal(d);
            out.extend(num::f16_bytes(d));
            out.extend(half_split(&block.map(|x| num::low_byte(x * id + 8.5).min(15))));
        }
    },
    |_, row, out| {
        for [d0, d1, codes @ ..] in row.as_chunks::<18>().0 {
            let d = num::f16_value([*d0, *d1]);
            out.extend(joined(codes).map(|q| (f32::from(q) - 8.0) * d));
        }
    },
);
