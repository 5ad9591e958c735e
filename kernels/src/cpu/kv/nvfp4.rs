use kvplan_core::codec::{Block, Codec};

use super::{Decoder, Packed, Record, fp8_e4m3_value};
use crate::cpu::shared::e2m1_value;

const LAYOUT: Block = Codec::Nvfp4.layout().key.packing.block();

/// `kv/nvfp4.wgsl`.
pub const NVFP4: Decoder = Decoder::new(load4);

#[expect(clippy::cast_possible_truncation, reason = "a block's size")]
fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let g = packed.geometry;
    let elements = LAYOUT.elements as u32;
    let group = element / elements;
    let mut at = record.scales + group;
    if g.swizzled > 0 {
        let quarter = g.head_dim / elements / 4;
        let slot = record.inside / 4 * 4 + group / quarter;
        let column = group % quarter * 4 + record.inside % 4;
        // The vector's scales begin `inside` slots into the plane.
        at = record.scales - record.inside * g.plane_token_bytes + slot * g.plane_token_bytes + column;
    }
    let scale = fp8_e4m3_value(packed.byte(at)) * packed.scale(record.head);
    let at = record.codes + element / 2;
    let [low, high] = packed.bytes2(at).to_le_bytes();
    [low & 15, low >> 4, high & 15, high >> 4].map(|code| e2m1_value(code) * scale)
}
