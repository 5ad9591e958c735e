use kvplan_core::codec::tables::IQ4_NL_LEVELS;
use kvplan_core::codec::{Block, Codec};

use super::{Decoder, Packed, Record};

const LAYOUT: Block = Codec::Iq4Nl.layout().key.packing.block();

/// `kv/iq4_nl.wgsl`.
pub const IQ4_NL: Decoder = Decoder::new(load4);

#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let (elements, bytes) = (LAYOUT.elements as u32, LAYOUT.bytes as u32);
    let at = record.first + element;
    let block = record.codes + at / elements * bytes;
    let place = at % elements;
    let codes = packed.bytes4(block + 2 + place % 16);
    let level = |codes: u8| IQ4_NL_LEVELS[usize::from((codes >> (place / 16 * 4)) & 15)];
    codes.map(|codes| f32::from(level(codes)) * packed.half(block))
}
