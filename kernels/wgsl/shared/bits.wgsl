// Small codes out of words, the first in the lowest bits.

fn nibbles(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
}

fn three_bits(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 3u, 6u, 9u)) & vec4<u32>(7u);
}

fn two_bits(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u);
}

// The low nibble of each byte.
fn low_nibbles(word: u32) -> vec4<u32> {
    return (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
}

// The bytes as signed numbers.
fn signed_bytes(word: u32) -> vec4<f32> {
    return vec4<f32>(bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u));
}

// The four lowest bits, each where a fifth bit belongs.
fn fifth_bits(bits: u32) -> vec4<u32> {
    return (vec4<u32>(bits) << vec4<u32>(4u, 3u, 2u, 1u)) & vec4<u32>(16u);
}

// The lowest nibbles of a word's bytes, side by side.
fn nibbles_together(word: u32) -> u32 {
    return (word & 15u) | ((word >> 4u) & 0xf0u) | ((word >> 8u) & 0xf00u) | ((word >> 12u) & 0xf000u);
}
