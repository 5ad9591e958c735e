// FP8 codes, the first one in the lowest byte.

fn fp8_e4m3_values(word: u32) -> vec4<f32> {
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu);
    let magnitude = codes & vec4<u32>(0x7fu);
    let normal = (magnitude << vec4<u32>(20u)) + vec4<u32>(120u << 23u);
    let subnormal = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 0.001953125f);
    let finite = select(normal, subnormal, magnitude < vec4<u32>(8u));
    let value = select(finite, vec4<u32>(0x7fc00000u), magnitude == vec4<u32>(0x7fu));
    return bitcast<vec4<f32>>(value | ((codes & vec4<u32>(0x80u)) << vec4<u32>(24u)));
}

// E5M2 is the upper byte of an f16.
fn fp8_e5m2_values(word: u32) -> vec4<f32> {
    let low = ((word & 0xffu) << 8u) | ((word & 0xff00u) << 16u);
    let high = ((word & 0xff0000u) >> 8u) | (word & 0xff000000u);
    return vec4<f32>(unpack2x16float(low), unpack2x16float(high));
}
