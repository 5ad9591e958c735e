use kvplan_core::codec::{Block, Codec};

use super::{Decoder, Packed, Record};
use crate::cpu::shared::e2m1_value;

const LAYOUT: Block = Codec::Mxfp4.layout().key.packing.block();

/// `kv/mxfp4.wgsl`.
pub const MXFP4: Decoder = Decoder::new(load4);

#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let (elements, bytes) = (LAYOUT.elements as u32, LAYOUT.bytes as u32);
    let at = record.first + element;
    let block = record.codes + at / elements * bytes;
    let place = at % elements;
    let e = u32::from(packed.byte(block));
    let half = f32::from_bits(if e < 2 { 0x20_0000 << e } else { (e - 1) << 23 });
    let codes = packed.bytes4(block + 1 + place % 16);
    codes.map(|codes| e2m1_value((codes >> (place / 16 * 4)) & 15) * 2.0 * half)
}
