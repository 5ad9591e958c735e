use kvplan_core::codec::{Block, Codec};

use crate::cpu::shared::{Stream, low_byte};
use crate::shader::Rows;

const LAYOUT: Block = Codec::Q8_0.layout().key.packing.block();

fn block(values: &[u32], out: &mut Stream<'_>) {
    let mut amax = 0.0f32;
    for x in values {
        amax = amax.max(f32::from_bits(*x).abs());
    }
    let d = amax / 127.0;
    let inverse = if d == 0.0 { 0.0 } else { 1.0 / d };
    out.put(u32::from(half::f16::from_f32(d).to_bits()), 16);
    for x in values {
        out.put(u32::from(low_byte((f32::from_bits(*x) * inverse).round())), 8);
    }
}

/// `quantize/q8_0.wgsl`.
#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
pub fn q8_0(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    let elements = LAYOUT.elements as u32;
    let end = params.rows * params.width;
    for unit in 0..end.div_ceil(2 * elements) {
        let first = unit * 2 * elements;
        let mut out = Stream::begin(dst, first / elements * LAYOUT.bytes as u32);
        for at in (first..end.min(first + 2 * elements)).step_by(elements as usize) {
            block(&src[at as usize..(at + elements) as usize], &mut out);
        }
        out.end();
    }
}
