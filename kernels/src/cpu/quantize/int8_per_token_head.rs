use crate::cpu::shared::{LEAST_SCALE, Stream, amax, floats, low_byte, vectors};
use crate::shader::Rows;

fn vector(values: &[u32], out: &mut Stream<'_>) {
    let scale = (amax(floats(values)) / 127.0).max(LEAST_SCALE);
    for x in floats(values) {
        out.put(u32::from(low_byte((x / scale).round_ties_even().clamp(-127.0, 127.0))), 8);
    }
    out.put_word(scale.to_bits());
}

/// `quantize/int8_per_token_head.wgsl`.
pub fn int8_per_token_head(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    vectors(params, src, dst, |_, values, out| vector(values, out));
}
