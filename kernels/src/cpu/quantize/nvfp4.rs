use kvplan_core::codec::{Block, Codec};

use crate::cpu::kv::fp8_e4m3_value;
use crate::cpu::shared::{E4M3, Stream, amax, e2m1_code, floats, reciprocal, scale_at, vectors};
use crate::shader::Rows;

const LAYOUT: Block = Codec::Nvfp4.layout().key.packing.block();

fn code(x: u32, inverse: f32) -> u32 {
    e2m1_code(f32::from_bits(x) * inverse) | ((x >> 28) & 8)
}

fn vector(tensor: f32, values: &[u32], out: &mut Stream<'_>) {
    let inverse_tensor = reciprocal(tensor);
    let groups = || values.chunks_exact(usize::try_from(LAYOUT.elements).unwrap_or(1));
    let scale = |group| E4M3.code((inverse_tensor * (amax(floats(group)) / 6.0)).to_bits());
    for group in groups() {
        let d = fp8_e4m3_value(scale(group).to_le_bytes()[0]);
        let inverse = reciprocal(d * reciprocal(inverse_tensor));
        for pair in group.as_chunks::<2>().0 {
            out.put(code(pair[0], inverse) | (code(pair[1], inverse) << 4), 8);
        }
    }
    for group in groups() {
        out.put(scale(group), 8);
    }
}

/// `quantize/nvfp4.wgsl`.
pub fn nvfp4(params: &Rows, src: &[u32], beside: &[u32], dst: &mut [u32]) {
    vectors(params, src, dst, |first, values, out| vector(scale_at(params, beside, first), values, out));
}
