use kvplan_core::codec::{Block, Codec};

use crate::cpu::shared::{Stream, blocks, extreme, f16, floats, low_byte, reciprocal};
use crate::shader::Rows;

const LAYOUT: Block = Codec::Q4_0.layout().key.packing.block();

fn code(x: u32, inverse: f32) -> u32 {
    u32::from(low_byte(f32::from_bits(x) * inverse + 8.5)).min(15)
}

fn block(values: &[u32], out: &mut Stream<'_>) {
    let d = extreme(floats(values)) * -0.125;
    let inverse = reciprocal(d);
    out.put(f16(d), 16);
    for i in 0..values.len() / 2 {
        let low = code(values[i], inverse);
        let high = code(values[i + values.len() / 2], inverse);
        out.put(low | (high << 4), 8);
    }
}

/// `quantize/q4_0.wgsl`.
pub fn q4_0(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    blocks(params, src, dst, (LAYOUT, 2), block);
}
