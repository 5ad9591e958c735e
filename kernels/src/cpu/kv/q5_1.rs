use kvplan_core::codec::{Block, Codec};

use super::{Decoder, Packed, Record};

const LAYOUT: Block = Codec::Q5_1.layout().key.packing.block();

/// `kv/q5_1.wgsl`.
pub const Q5_1: Decoder = Decoder::new(load4);

#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let (elements, bytes) = (LAYOUT.elements as u32, LAYOUT.bytes as u32);
    let at = record.first + element;
    let block = record.codes + at / elements * bytes;
    let place = at % elements;
    let d = packed.half(block);
    let codes = packed.bytes4(block + 8 + place % 16);
    let nibble = |i: u8| (codes[usize::from(i)] >> (place / 16 * 4)) & 15;
    let qh = u32::from_le_bytes(packed.bytes4(block + 4));
    let fifth = |i: u8| u8::from((qh >> (place + u32::from(i))) & 1 == 1) << 4;
    [0, 1, 2, 3].map(|i| f32::from(nibble(i) | fifth(i)) * d + packed.half(block + 2))
}
