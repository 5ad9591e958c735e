/// `e2m1_code` of `shared/e2m1.wgsl`: the magnitude's code, half to even, saturating.
pub(in crate::cpu) fn e2m1_code(x: f32) -> u32 {
    let x = x.abs();
    let past = [x > 0.25, x >= 0.75, x > 1.25, x >= 1.75, x > 2.5, x >= 3.5, x > 5.0];
    past.map(u32::from).iter().sum()
}

/// `e2m1_values`, of one code.
pub(in crate::cpu) fn e2m1_value(code: u8) -> f32 {
    let magnitude = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0][usize::from(code & 7)];
    if code & 8 == 0 { magnitude } else { -magnitude }
}
