use kvplan_core::codec::tables::{TURBO_LEVELS_2, TURBO_LEVELS_3, TURBO_LEVELS_4};
use kvplan_core::codec::{Block, Codec};

use super::{Decoder, Packed, Record, signed_level};

#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
const fn sizes(block: Block) -> (u32, u32) {
    (block.elements as u32, block.bytes as u32)
}

const SIZES_2: (u32, u32) = sizes(Codec::Turbo2_0.layout().key.packing.block());
const SIZES_3: (u32, u32) = sizes(Codec::Turbo3_0.layout().key.packing.block());
const SIZES_4: (u32, u32) = sizes(Codec::Turbo4_0.layout().key.packing.block());

/// First byte of the element's block, and its place inside.
const fn block(record: Record, element: u32, (elements, bytes): (u32, u32)) -> (u32, u32) {
    (record.codes + element / elements * bytes, element % elements)
}

/// `kv/turbo2_0.wgsl`.
pub const TURBO2_0: Decoder = Decoder::new(|packed: &Packed<'_>, record: Record, element: u32| {
    let (block, place) = block(record, element, SIZES_2);
    let byte = u32::from(packed.byte(block + 2 + place / 4));
    [0, 2, 4, 6].map(|at| signed_level((byte >> at) & 3, &TURBO_LEVELS_2) * packed.half(block))
});

/// `kv/turbo3_0.wgsl`.
pub const TURBO3_0: Decoder = Decoder::new(|packed: &Packed<'_>, record: Record, element: u32| {
    let (block, place) = block(record, element, SIZES_3);
    let low = u32::from(packed.byte(block + 2 + place / 4));
    let high = u32::from(packed.byte(block + 34 + place / 8)) >> (place & 4);
    [0, 1, 2, 3].map(|i| {
        let code = (low >> (2 * i) & 3) | ((high >> i & 1) << 2);
        signed_level(code, &TURBO_LEVELS_3) * packed.half(block)
    })
});

/// `kv/turbo4_0.wgsl`.
pub const TURBO4_0: Decoder = Decoder::new(|packed: &Packed<'_>, record: Record, element: u32| {
    let (block, place) = block(record, element, SIZES_4);
    let word = u32::from(packed.bytes2(block + 4 + place / 2));
    [0, 4, 8, 12].map(|at| signed_level((word >> at) & 15, &TURBO_LEVELS_4) * packed.half(block))
});
