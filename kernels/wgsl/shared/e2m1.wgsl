// E2M1: magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6 in three bits, the sign above them.

// The magnitude's code, half to even, saturating.
fn e2m1_code(magnitude: u32) -> u32 {
    return u32(magnitude > 0x3e800000u) + u32(magnitude >= 0x3f400000u) + u32(magnitude > 0x3fa00000u)
        + u32(magnitude >= 0x3fe00000u) + u32(magnitude > 0x40200000u) + u32(magnitude >= 0x40600000u)
        + u32(magnitude > 0x40a00000u);
}

// Whether a magnitude that is off by a few units in the last place has the same code all the same.
fn e2m1_certain(magnitude: u32) -> bool {
    return e2m1_code(max(magnitude, 16u) - 16u) == e2m1_code(magnitude + 16u);
}

// The values of the four lowest nibbles of `word`.
fn e2m1_values(word: u32) -> vec4<f32> {
    let codes = vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u);
    let magnitude = codes & vec4<u32>(7u);
    let normal = (magnitude << vec4<u32>(22u)) + vec4<u32>(126u << 23u);
    let small = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 0.5f);
    return bitcast<vec4<f32>>(select(normal, small, magnitude < vec4<u32>(2u)) | ((codes & vec4<u32>(8u)) << vec4<u32>(28u)));
}
