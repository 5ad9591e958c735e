use kvplan_core::codec::tables::VLLM_INT4_SIGNS;

use crate::cpu::shared::{LEAST_SCALE, Stream, low_byte, range, vectors};
use crate::shader::Rows;

/// Half of the number's sign is added, and the fraction cut off: 0..=15 of it. NaN is 0.
fn half_away_15(x: f32) -> u32 {
    u32::from(low_byte((x + 0.5f32.copysign(x)).clamp(0.0, 15.0)))
}

fn vector(values: &[u32], out: &mut Stream<'_>) {
    let signed = |(i, x): (usize, &u32)| {
        f32::from_bits(x ^ (u32::from((VLLM_INT4_SIGNS[i / 128] >> (i % 128)) & 1 == 1) << 31))
    };
    let mut turned: Vec<f32> = values.iter().enumerate().map(signed).collect();
    let mut half = 1;
    while half < turned.len() {
        for pair in 0..turned.len() / 2 {
            let low = pair / half * half * 2 + pair % half;
            let (a, b) = (turned[low], turned[low + half]);
            turned[low] = a + b;
            turned[low + half] = a - b;
        }
        half *= 2;
    }
    let (low, high) = range(turned.iter().copied());
    let scale = ((high - low) / 15.0).max(LEAST_SCALE);
    let zero = half_away_15(-low / scale);
    let inverse = 1.0 / scale;
    // At most 15.
    let code = |x: f32| half_away_15(x * inverse + f32::from(zero.to_le_bytes()[0]));
    for pair in turned.as_chunks::<2>().0 {
        out.put(code(pair[0]) | (code(pair[1]) << 4), 8);
    }
    out.put_word((scale.to_bits() & !15) | zero);
}

/// `quantize/int4_per_token_head.wgsl`.
pub fn int4_per_token_head(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    vectors(params, src, dst, |_, values, out| vector(values, out));
}
