use kvplan_core::codec::{Block, Codec};

use crate::cpu::shared::{Stream, amax, blocks, f16, floats, low_byte, reciprocal};
use crate::shader::Rows;

const LAYOUT: Block = Codec::Q8_0.layout().key.packing.block();

fn block(values: &[u32], out: &mut Stream<'_>) {
    let d = amax(floats(values)) / 127.0;
    let inverse = reciprocal(d);
    out.put(f16(d), 16);
    for x in floats(values) {
        out.put(u32::from(low_byte((x * inverse).round())), 8);
    }
}

/// `quantize/q8_0.wgsl`.
pub fn q8_0(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    blocks(params, src, dst, (LAYOUT, 2), block);
}
