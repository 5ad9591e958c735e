use kvplan_core::codec::{Block, Codec};

use super::{Decoder, Packed, Record};

const LAYOUT: Block = Codec::Q8_0.layout().key.packing.block();

/// `kv/q8_0.wgsl`.
pub const Q8_0: Decoder = Decoder::new(load4);

#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let (elements, bytes) = (LAYOUT.elements as u32, LAYOUT.bytes as u32);
    let at = record.first + element;
    let block = record.codes + at / elements * bytes;
    let codes = packed.bytes4(block + 2 + at % elements);
    codes.map(|code| f32::from(code.cast_signed()) * packed.half(block))
}
