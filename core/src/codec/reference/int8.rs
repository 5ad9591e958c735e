//! INT8 with a static scale outside the cache: q = clamp(⌊x/s⌉, −128, 127), half to even. Which way TensorRT-LLM sends
//! exact ties is not published; half to even is its hardware's conversion.

use super::{Arithmetic, num};

pub(in crate::codec) const INT8: Arithmetic = Arithmetic::finite(
    |_, _, values, out| {
        out.extend(values.iter().map(|x| num::low_byte(x.round_ties_even().clamp(-128.0, 127.0))));
    },
    |_, row, out| out.extend(row.iter().map(|q| f32::from(q.cast_signed()))),
)
.divided();
