use super::{Decoder, Packed, Record};

/// `kv/bf16.wgsl`.
pub const BF16: Decoder = Decoder::new(load4);

fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let at = record.codes + (record.first + element) * 2;
    [0, 1, 2, 3].map(|i| half::bf16::from_bits(packed.bytes2(at + i * 2)).to_f32())
}
