//! `dequantize/*`: packed bytes to vectors of f32 (as bits).

mod block_gtq;

pub use block_gtq::block_gtq;

use super::kv::{self, Decoder, Place};
use crate::shader::Packed;

/// `dequantize/rows.wgsl` with one decoder.
pub fn rows(decoder: &Decoder, params: &Packed, src: &[u32], beside: &[u32], dst: &mut [u32]) {
    let geometry = &params.src_side;
    let packed = kv::Packed { words: src, beside, geometry };
    let columns = geometry.head_dim / 4;
    for token in 0..params.tokens {
        for head in 0..geometry.heads {
            let at = Place { sequence: 0, token, slot: token, length: params.tokens };
            let record = (decoder.record)(&packed, at, head);
            for column in 0..columns {
                let values = (decoder.load4)(&packed, record, column * 4);
                let unit = (token * geometry.heads + head) * columns + column;
                for i in 0..4 {
                    dst[unit as usize * 4 + i] = values[i].to_bits();
                }
            }
        }
    }
}
