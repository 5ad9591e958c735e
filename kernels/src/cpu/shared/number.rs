/// `exact_low_byte`: the low byte of C's `(int) x`, 0 for NaN and whatever an int does not hold.
#[expect(clippy::cast_possible_truncation, reason = "in range by the check before it")]
pub(in crate::cpu) fn low_byte(x: f32) -> u8 {
    if x.abs() < 2_147_483_648.0 { (x as i32).to_le_bytes()[0] } else { 0 }
}

/// `exact_reciprocal`: 1/x, and 0 for 0.
pub(in crate::cpu) fn reciprocal(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { 1.0 / x }
}

/// The f16 nearest to x, ties to even.
pub(in crate::cpu) fn f16(x: f32) -> u32 {
    u32::from(half::f16::from_f32(x).to_bits())
}

/// The values of a block.
pub(in crate::cpu) fn floats(src: &[u32]) -> impl Iterator<Item = f32> {
    src.iter().map(|bits| f32::from_bits(*bits))
}

/// `Range` of `shared/order.wgsl`: the least and the greatest; of two zeros the first.
pub(in crate::cpu) fn range(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values.fold((f32::MAX, -f32::MAX), |(low, high), x| {
        (if x < low { x } else { low }, if high < x { x } else { high })
    })
}

/// `extreme_with`: the element of the greatest magnitude, the first one if several.
pub(in crate::cpu) fn extreme(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |extreme: f32, x| if x.abs() > extreme.abs() { x } else { extreme })
}

/// The greatest magnitude.
pub(in crate::cpu) fn amax(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |amax: f32, x| amax.max(x.abs()))
}

/// vLLM's floor under a scale per token and head.
pub(in crate::cpu) const LEAST_SCALE: f32 = 1e-6;
