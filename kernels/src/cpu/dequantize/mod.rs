//! `dequantize/*`: packed bytes to rows of f32 (as bits).

use super::kv::Load4;
use crate::shader::Packed;

/// `dequantize/rows.wgsl` with one codec's decoder.
pub fn rows(load4: Load4, params: &Packed, src: &[u32], dst: &mut [u32]) {
    let per_row = params.width / 4;
    for unit in 0..params.rows * per_row {
        let values = load4(src, unit / per_row * params.row_bytes, unit % per_row * 4);
        for i in 0..4 {
            dst[unit as usize * 4 + i] = values[i].to_bits();
        }
    }
}
