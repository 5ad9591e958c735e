use super::{Decoder, Packed, Record, fp8_e4m3_value};

/// `kv/int8_per_token_head.wgsl`.
pub const INT8_PER_TOKEN_HEAD: Decoder = Decoder::new(|packed, record, element| {
    bytes(packed, record, element, |code| f32::from(code.cast_signed()))
});

/// `kv/fp8_per_token_head.wgsl`.
pub const FP8_PER_TOKEN_HEAD: Decoder =
    Decoder::new(|packed, record, element| bytes(packed, record, element, fp8_e4m3_value));

/// `kv/int4_per_token_head.wgsl`.
pub const INT4_PER_TOKEN_HEAD: Decoder = Decoder::new(nibbles);

fn bytes(packed: &Packed<'_>, record: Record, element: u32, value: fn(u8) -> f32) -> [f32; 4] {
    let scale = f32::from_le_bytes(packed.bytes4(record.codes + packed.geometry.head_dim));
    packed.bytes4(record.codes + element).map(|code| value(code) * scale)
}

fn nibbles(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let scale = u32::from_le_bytes(packed.bytes4(record.codes + packed.geometry.head_dim / 2));
    let zero = f32::from((scale & 15).to_le_bytes()[0]);
    let scale = f32::from_bits(scale & !15);
    let [low, high] = packed.bytes2(record.codes + element / 2).to_le_bytes();
    [low & 15, low >> 4, high & 15, high >> 4].map(|code| (f32::from(code) - zero) * scale)
}
