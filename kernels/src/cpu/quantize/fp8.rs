use crate::cpu::shared::{E4M3, E5M2, MiniFloat, scaled};
use crate::shader::Rows;

fn fp8(format: MiniFloat, params: &Rows, src: &[u32], beside: &[u32], dst: &mut [u32]) {
    let end = (params.rows * params.width) as usize;
    for unit in 0..end.div_ceil(4) {
        let first = unit * 4;
        let mut word = 0;
        for i in 0..4.min(end - first) {
            word |= format.code(scaled(params, src, beside, first + i)) << (8 * i);
        }
        dst[unit] = word;
    }
}

/// `quantize/fp8_e4m3.wgsl`.
pub fn fp8_e4m3(params: &Rows, src: &[u32], beside: &[u32], dst: &mut [u32]) {
    fp8(E4M3, params, src, beside, dst);
}

/// `quantize/fp8_e5m2.wgsl`.
pub fn fp8_e5m2(params: &Rows, src: &[u32], beside: &[u32], dst: &mut [u32]) {
    fp8(E5M2, params, src, beside, dst);
}
