use kvplan_core::codec::{Block, Codec};

use super::{Decoder, Packed, Record};

const LAYOUT: Block = Codec::Q4_1.layout().key.packing.block();

/// `kv/q4_1.wgsl`.
pub const Q4_1: Decoder = Decoder::new(load4);

#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let (elements, bytes) = (LAYOUT.elements as u32, LAYOUT.bytes as u32);
    let at = record.first + element;
    let block = record.codes + at / elements * bytes;
    let place = at % elements;
    let d = packed.half(block);
    let codes = packed.bytes4(block + 4 + place % 16);
    let nibble = |i: u8| (codes[usize::from(i)] >> (place / 16 * 4)) & 15;
    [0, 1, 2, 3].map(|i| f32::from(nibble(i)) * d + packed.half(block + 2))
}
