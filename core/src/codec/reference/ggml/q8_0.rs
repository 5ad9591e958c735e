//! `q8_0`: d = amax/127 as f16, then 32 signed bytes.
//!
//! The reference multiplies by 1/d and rounds half away from zero; the x86 cache path multiplies by 127/amax, rounds
//! half to even and saturates. They differ at exact ties and where 1/d overflows.

use super::{BLOCK, num};
use crate::codec::reference::{Arithmetic, Route};

pub(in crate::codec) const Q8_0: Arithmetic = Arithmetic::finite(
    |route, _, values, out| {
        for block in values.as_chunks::<BLOCK>().0 {
            let amax = num::amax(block);
            let d = amax / 127.0;
            out.extend(num::f16_bytes(d));
            match route {
                Route::Reference => {
                    let id = num::reciprocal(d);
                    out.extend(block.iter().map(|x| num::low_byte((x * id).round())));
                }
                Route::Kv => {
                    let id = if amax == 0.0 { 0.0 } else { 127.0 / amax };
                    out.extend(block.iter().map(|x| saturated(x * id)));
                }
            }
        }
    },
    |_, row, out| {
        for [d0, d1, codes @ ..] in row.as_chunks::<34>().0 {
            let d = num::f16_value([*d0, *d1]);
            out.extend(codes.iter().map(|q| f32::from(q.cast_signed()) * d));
        }
    },
);

/// Half to even, packed to i8 with saturation; what does not convert is the most negative integer.
fn saturated(x: f32) -> u8 {
    let wide = num::trunc_x86(x.round_ties_even());
    wide.clamp(-128, 127).to_le_bytes()[0]
}
