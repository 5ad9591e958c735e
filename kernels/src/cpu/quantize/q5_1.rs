use kvplan_core::codec::{Block, Codec};

use crate::cpu::shared::{Nibbles, Stream, blocks, f16, floats, low_byte, range, reciprocal};
use crate::shader::Rows;

const LAYOUT: Block = Codec::Q5_1.layout().key.packing.block();

fn block(values: &[u32], out: &mut Stream<'_>) {
    let (low, high) = range(floats(values));
    let d = (high - low) / 31.0;
    let inverse = reciprocal(d);
    let code = |i: usize| u32::from(low_byte((f32::from_bits(values[i]) - low) * inverse + 0.5));
    let nibbles = Nibbles::of(std::array::from_fn(code));
    out.put(f16(d), 16);
    out.put(f16(low), 16);
    out.put_word(nibbles.fifth);
    nibbles.put(out);
}

/// `quantize/q5_1.wgsl`.
pub fn q5_1(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    blocks(params, src, dst, (LAYOUT, 1), block);
}
