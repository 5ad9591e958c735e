/// `exact_low_byte`: the low byte of C's `(int) x`, 0 for NaN and whatever an int does not hold.
#[expect(clippy::cast_possible_truncation, reason = "in range by the check before it")]
pub(in crate::cpu) fn low_byte(x: f32) -> u8 {
    if x.abs() < 2_147_483_648.0 { (x as i32).to_le_bytes()[0] } else { 0 }
}
