#import shared/half

fn kivi_rounded(x: f32) -> f32 {
    return unpack2x16float(half_f16(bitcast<u32>(x))).x;
}

// code · scale + minimum, both steps rounded to f16 as torch does on half tensors.
fn kivi_decoded(codes: vec4<u32>, scale: vec4<f32>, lowest: vec4<f32>) -> vec4<f32> {
    let steps = vec4<f32>(codes) * scale;
    let x = vec4<f32>(kivi_rounded(steps.x), kivi_rounded(steps.y), kivi_rounded(steps.z), kivi_rounded(steps.w)) + lowest;
    return vec4<f32>(kivi_rounded(x.x), kivi_rounded(x.y), kivi_rounded(x.z), kivi_rounded(x.w));
}
