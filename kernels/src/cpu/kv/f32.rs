use super::{Decoder, Packed, Record};

/// `kv/f32.wgsl`.
pub const F32: Decoder = Decoder::new(load4);

fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let at = record.codes + (record.first + element) * 4;
    [0, 1, 2, 3].map(|i| f32::from_le_bytes(packed.bytes4(at + i * 4)))
}
