/// `kv/fp8_e4m3.wgsl`.
#[must_use]
pub fn fp8_e4m3(words: &[u32], row: u32, element: u32) -> [f32; 4] {
    super::bytes4(words, row + element).map(|code| {
        let magnitude = u32::from(code & 0x7f);
        let value = match magnitude {
            0..8 => f32::from(code & 7) * 0.001_953_125,
            0x7f => f32::NAN,
            _ => f32::from_bits((magnitude << 20) + (120 << 23)),
        };
        if code & 0x80 == 0 { value } else { -value }
    })
}
