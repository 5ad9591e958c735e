use kvplan_core::codec::{Block, Codec};

use crate::cpu::shared::{Nibbles, Stream, blocks, extreme, f16, floats, low_byte, reciprocal};
use crate::shader::Rows;

const LAYOUT: Block = Codec::Q5_0.layout().key.packing.block();

fn block(values: &[u32], out: &mut Stream<'_>) {
    let d = extreme(floats(values)) * -0.0625;
    let inverse = reciprocal(d);
    let code = |i: usize| u32::from(low_byte(f32::from_bits(values[i]) * inverse + 16.5)).min(31);
    let nibbles = Nibbles::of(std::array::from_fn(code));
    out.put(f16(d), 16);
    out.put_word(nibbles.fifth);
    nibbles.put(out);
}

/// `quantize/q5_0.wgsl`.
pub fn q5_0(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    blocks(params, src, dst, (LAYOUT, 2), block);
}
