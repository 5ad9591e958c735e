// How good plain f32 is for a turned vector: what is certain need not be worked out on integers.

#import shared/half

// The largest power of two up to n.
fn turn_run(n: u32) -> u32 {
    return 1u << firstLeadingBit(n);
}

// How far a coordinate of a turned unit vector of `n` elements, in plain f32, may be from the reference's, in units of
// 2^-24. Norm: a sum of n terms on both sides, the root and the quotient; relative. Transform: of a vector of length 1 each
// of log2(n) + 1 steps adds errors of length 2^-24 on both sides, and no later step lengthens them; 26 in all for 512
// elements, the quotient's own among them. A width that is no power of two has four transforms of 256 at most: 78.
fn turn_doubt(x: f32, n: u32) -> f32 {
    let turned = select(96.0f, 32.0f, turn_run(n) == n);
    return (abs(x) * f32(n + 48u) + turned) * 5.9604645e-8f;
}

// Whether the f16 of a number that may be off by `doubt` (relative, in units of 2^-24) is in doubt.
fn turn_half_in_doubt(x: f32, doubt: f32) -> bool {
    let off = x * doubt * 5.9604645e-8f;
    return half_f16(bitcast<u32>(x - off)) != half_f16(bitcast<u32>(x + off));
}

// Whether plain f32 is good for a vector of this norm: squares that vanish do not matter, none overflows. Not of zero.
fn turn_plain(norm: f32) -> bool {
    return norm > 2.3283064e-10f && norm < 1.0995116e12f;
}
