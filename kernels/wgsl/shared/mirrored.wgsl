// Four codes of a codebook whose levels mirror: the upper half of the codes are the positive levels, ascending.

// Their places among the positive levels, of which there are `half`, a power of two.
fn mirrored_places(codes: vec4<u32>, half: u32) -> vec4<u32> {
    return select(~codes, codes, codes >= vec4<u32>(half)) & vec4<u32>(half - 1u);
}

// The levels, from the bits of those at these places.
fn mirrored_levels(codes: vec4<u32>, half: u32, bits: vec4<u32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bits | select(vec4<u32>(0x80000000u), vec4<u32>(0u), codes >= vec4<u32>(half)));
}
