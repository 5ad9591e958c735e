use super::{Decoder, Packed, Record};

/// `kv/fp8_e4m3.wgsl`.
pub const FP8_E4M3: Decoder =
    Decoder::new(|packed, record, element| load4(packed, record, element, fp8_e4m3_value));

/// `kv/fp8_e5m2.wgsl`.
pub const FP8_E5M2: Decoder =
    Decoder::new(|packed, record, element| load4(packed, record, element, e5m2_value));

fn load4(packed: &Packed<'_>, record: Record, element: u32, value: fn(u8) -> f32) -> [f32; 4] {
    let scale = packed.scale(record.head);
    packed.bytes4(record.codes + record.first + element).map(|code| value(code) * scale)
}

/// `fp8_e4m3_values` of `shared/fp8.wgsl`.
pub(in crate::cpu) fn fp8_e4m3_value(code: u8) -> f32 {
    let magnitude = u32::from(code & 0x7f);
    let value = match magnitude {
        0..8 => f32::from(code & 7) * 0.001_953_125,
        0x7f => f32::NAN,
        _ => f32::from_bits((magnitude << 20) + (120 << 23)),
    };
    if code & 0x80 == 0 { value } else { -value }
}

/// `fp8_e5m2_values`.
fn e5m2_value(code: u8) -> f32 {
    half::f16::from_bits(u16::from(code) << 8).to_f32()
}
