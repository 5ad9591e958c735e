use crate::cpu::shared::scaled;
use crate::shader::Rows;

fn code(bits: u32) -> u32 {
    let sign = (bits >> 24) & 0x80;
    let x = f32::from_bits(bits & 0x7fff_ffff);
    if x.is_nan() {
        return 0x7f;
    }
    if x >= 464.0 {
        return sign | 0x7e;
    }
    if x >= f32::from_bits(121 << 23) {
        let rebiased = x.to_bits() - (120 << 23);
        return sign | ((rebiased + 0x7ffff + ((rebiased >> 20) & 1)) >> 20);
    }
    // Subnormal: units of 2^-9; the product with a power of two is exact.
    sign | u32::from(crate::cpu::shared::low_byte((x * 512.0).round_ties_even()))
}

/// `quantize/fp8_e4m3.wgsl`.
pub fn fp8_e4m3(params: &Rows, src: &[u32], beside: &[u32], dst: &mut [u32]) {
    let end = (params.rows * params.width) as usize;
    for unit in 0..end.div_ceil(4) {
        let first = unit * 4;
        let mut word = 0;
        for i in 0..4.min(end - first) {
            word |= code(scaled(params, src, beside, first + i)) << (8 * i);
        }
        dst[unit] = word;
    }
}
