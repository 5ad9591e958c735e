use super::{Decoder, Packed, Record};

/// `kv/f16.wgsl`.
pub const F16: Decoder = Decoder::new(load4);

fn load4(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let at = record.codes + (record.first + element) * 2;
    [0, 1, 2, 3].map(|i| packed.half(at + i * 2))
}
