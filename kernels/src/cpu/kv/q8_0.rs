use kvplan_core::codec::{Block, Codec};

const LAYOUT: Block = Codec::Q8_0.layout().key.packing.block();

/// `kv/q8_0.wgsl`.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
pub fn q8_0(words: &[u32], row: u32, element: u32) -> [f32; 4] {
    let (elements, bytes) = (LAYOUT.elements as u32, LAYOUT.bytes as u32);
    let block = row + element / elements * bytes;
    let d = half::f16::from_bits(super::half_word(words, block)).to_f32();
    let at = block + 2 + element % elements;
    super::bytes4(words, at).map(|code| f32::from(code.cast_signed()) * d)
}
