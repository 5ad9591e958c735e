use crate::shader::Rows;

/// `quantize/f16.wgsl`.
pub fn f16(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    let value = |at: usize| u32::from(half::f16::from_f32(f32::from_bits(src[at])).to_bits());
    let end = (params.rows * params.width) as usize;
    for unit in 0..end.div_ceil(2) {
        let first = unit * 2;
        let mut word = value(first);
        if first + 1 < end {
            word |= value(first + 1) << 16;
        }
        dst[unit] = word;
    }
}
