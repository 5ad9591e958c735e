use crate::cpu::shared::{E4M3, LEAST_SCALE, Stream, amax, floats, vectors};
use crate::shader::Rows;

fn vector(values: &[u32], out: &mut Stream<'_>) {
    let scale = (amax(floats(values)) / 448.0).max(LEAST_SCALE);
    for x in floats(values) {
        out.put(E4M3.code((x / scale).to_bits()), 8);
    }
    out.put_word(scale.to_bits());
}

/// `quantize/fp8_per_token_head.wgsl`.
pub fn fp8_per_token_head(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    vectors(params, src, dst, |_, values, out| vector(values, out));
}
