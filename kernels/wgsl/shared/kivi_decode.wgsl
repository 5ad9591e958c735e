// The nearest f16, ties to even, as an f32: `half_f16` of four at once and without a branch. A subnormal is a whole number of
// units of 2^-24, so both its products are exact.
fn kivi_rounded(x: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(x);
    let sign = bits & vec4<u32>(0x80000000u);
    let magnitude = bits & vec4<u32>(0x7fffffffu);
    let even = (magnitude + vec4<u32>(0xfffu) + ((magnitude >> vec4<u32>(13u)) & vec4<u32>(1u))) & vec4<u32>(0xffffe000u);
    let infinite = select(even, vec4<u32>(0x7f800000u), even >= vec4<u32>(0x47800000u));
    let normal = select(infinite, vec4<u32>(0x7fc00000u), magnitude > vec4<u32>(0x7f800000u));
    let units = round(bitcast<vec4<f32>>(magnitude) * 16777216.0f);
    let subnormal = bitcast<vec4<u32>>(units * 5.9604645e-8f);
    return bitcast<vec4<f32>>(sign | select(normal, subnormal, magnitude < vec4<u32>(0x38800000u)));
}

// code · scale + minimum, both steps rounded to f16 as torch does on half tensors.
fn kivi_decoded(codes: vec4<u32>, scale: vec4<f32>, lowest: vec4<f32>) -> vec4<f32> {
    return kivi_rounded(kivi_rounded(vec4<f32>(codes) * scale) + lowest);
}
