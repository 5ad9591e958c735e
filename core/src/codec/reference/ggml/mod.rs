//! ggml's block types, one file each. A block never looks at its row, so rows are encoded end to end.

mod iq4_nl;
mod mxfp4;
mod nvfp4;
mod q4_0;
mod q4_1;
mod q5_0;
mod q5_1;
mod q8_0;

pub(in crate::codec) use iq4_nl::IQ4_NL;
pub(in crate::codec) use mxfp4::MXFP4;
pub(in crate::codec) use nvfp4::NVFP4;
pub(in crate::codec) use q4_0::Q4_0;
pub(in crate::codec) use q4_1::Q4_1;
pub(in crate::codec) use q5_0::Q5_0;
pub(in crate::codec) use q5_1::Q5_1;
pub(in crate::codec) use q8_0::Q8_0;

use super::num;
use crate::codec::tables::E2M1_DOUBLED;

/// Elements of the small blocks.
const BLOCK: usize = 32;

/// The E2M1 code nearest to `x` at (halved) scale `d`; of equally near ones the first.
fn nearest_e2m1(x: f32, d: f32) -> u8 {
    let error = |value: i8| (f32::from(value) * d - x).abs();
    let mut best = (0, error(0));
    for (code, value) in (0u8..).zip(E2M1_DOUBLED).skip(1) {
        if error(value) < best.1 {
            best = (code, error(value));
        }
    }
    best.0
}

/// Low nibbles are the first half of the block, high nibbles the second.
fn half_split(codes: &[u8]) -> impl Iterator<Item = u8> {
    let (low, high) = codes.split_at(codes.len() / 2);
    low.iter().zip(high).map(|(a, b)| (a & 0x0f) | (b & 0x0f) << 4)
}

/// The codes of [`half_split`] in element order.
fn joined(nibbles: &[u8]) -> impl Iterator<Item = u8> {
    nibbles.iter().map(|b| b & 0x0f).chain(nibbles.iter().map(|b| b >> 4))
}

/// The fifth bits of a block's codes: bit j belongs to element j.
fn fifth_bits(codes: &[u8; BLOCK]) -> u32 {
    (0..).zip(codes).fold(0, |bits, (j, code)| bits | u32::from(code >> 4 & 1) << j)
}

/// Codes of five bits, from nibbles and fifth bits.
fn five_bits(qh: [u8; 4], nibbles: &[u8; 16]) -> impl Iterator<Item = u8> {
    let qh = u32::from_le_bytes(qh);
    (0..).zip(joined(nibbles)).map(move |(j, low)| low | num::byte((qh >> j & 1) << 4))
}
