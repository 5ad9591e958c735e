use kvplan_core::codec::Block;

use super::Stream;
use crate::shader::Rows;

/// Blocks, `per_unit` of them to an invocation.
#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
pub(in crate::cpu) fn blocks(
    params: &Rows,
    src: &[u32],
    dst: &mut [u32],
    (layout, per_unit): (Block, u32),
    mut encode: impl FnMut(&[u32], &mut Stream<'_>),
) {
    let (elements, bytes) = (layout.elements as u32, layout.bytes as u32);
    let end = params.rows * params.width;
    for first in (0..end).step_by((per_unit * elements) as usize) {
        let mut out = Stream::begin(dst, first / elements * bytes);
        for at in (first..end.min(first + per_unit * elements)).step_by(elements as usize) {
            encode(&src[at as usize..(at + elements) as usize], &mut out);
        }
        out.end();
    }
}

/// Vectors, `rows_per_unit` of them to an invocation. `encode` is given the vector's first element and its values.
pub(in crate::cpu) fn vectors(
    params: &Rows,
    src: &[u32],
    dst: &mut [u32],
    encode: impl Fn(usize, &[u32], &mut Stream<'_>),
) {
    for row in (0..params.rows).step_by(params.rows_per_unit as usize) {
        let mut out = Stream::begin(dst, row * params.row_bytes);
        for at in row..params.rows.min(row + params.rows_per_unit) {
            let first = (at * params.width) as usize;
            encode(first, &src[first..first + params.width as usize], &mut out);
        }
        out.end();
    }
}
