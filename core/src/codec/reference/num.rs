//! Conversions between floats and small integers, each with its rule written once.

use half::f16;

/// C's `(int) x` as x86 computes it: towards zero, and `i32::MIN` for NaN and whatever does not fit. Published bytes of
/// degenerate blocks (a scale whose reciprocal overflows) depend on that.
#[expect(clippy::cast_possible_truncation, reason = "in range by the check above it")]
pub(super) fn trunc_x86(x: f32) -> i32 {
    if (-2_147_483_648.0..2_147_483_648.0).contains(&x) { x as i32 } else { i32::MIN }
}

/// C's `(int8_t) x` or `(uint8_t) x` as x86 computes it: the low byte of [`trunc_x86`].
pub(super) fn low_byte(x: f32) -> u8 {
    trunc_x86(x).to_le_bytes()[0]
}

/// A code that the format's own clamp has brought into 0..=255.
pub(super) fn code(x: f32) -> u8 {
    low_byte(x.clamp(0.0, 255.0))
}

/// The low byte of an integer.
pub(super) const fn byte(x: u32) -> u8 {
    x.to_le_bytes()[0]
}

/// The low byte of a wide integer.
pub(super) const fn byte_of(x: u64) -> u8 {
    x.to_le_bytes()[0]
}

/// f32 to f16 and its two bytes, half to even.
pub(super) fn f16_bytes(x: f32) -> [u8; 2] {
    f16::from_f32(x).to_le_bytes()
}

/// Two bytes as f16.
pub(super) fn f16_value(bytes: [u8; 2]) -> f32 {
    f16::from_le_bytes(bytes).to_f32()
}

/// The element of the greatest magnitude (the first one, if several), with its sign; 0 when all are zero.
pub(super) fn first_extreme(block: &[f32]) -> f32 {
    let mut extreme = 0.0f32;
    for &x in block {
        if x.abs() > extreme.abs() {
            extreme = x;
        }
    }
    extreme
}

/// The greatest magnitude.
pub(super) fn amax(block: &[f32]) -> f32 {
    first_extreme(block).abs()
}

/// The least and the greatest element: ±0 keeps the sign that comes first.
pub(super) fn range(block: &[f32]) -> (f32, f32) {
    let (mut min, mut max) = (f32::MAX, -f32::MAX);
    for &x in block {
        if x < min {
            min = x;
        }
        if x > max {
            max = x;
        }
    }
    (min, max)
}

/// 1/x, and 0 for 0.
pub(super) fn reciprocal(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { 1.0 / x }
}

/// An element count as a float.
#[expect(clippy::cast_precision_loss, reason = "vector widths are far below 2^24")]
pub(super) const fn count(n: usize) -> f32 {
    n as f32
}

/// √Σx², summed in element order.
pub(super) fn norm(x: &[f32]) -> f32 {
    x.iter().fold(0.0f32, |sum, x| sum + x * x).sqrt()
}

/// 2^(e − 127), the value of an E8M0 scale. 255 is NaN in the specification and no encoder here writes it.
pub(super) fn e8m0(e: u8) -> f32 {
    f32::from_bits(if e == 0 { 0x0040_0000 } else { u32::from(e) << 23 })
}

/// Codes of `bits` bits (1 to 8) as a little-endian bit stream, the last byte filled with zeros.
pub(super) fn pack(bits: u8, codes: impl IntoIterator<Item = u8>, out: &mut Vec<u8>) {
    let (mut pending, mut held) = (0u32, 0u8);
    for code in codes {
        pending |= u32::from(code) << held;
        held += bits;
        while held >= 8 {
            out.push(byte(pending));
            pending >>= 8;
            held -= 8;
        }
    }
    if held > 0 {
        out.push(byte(pending));
    }
}

/// The codes of [`pack`].
pub(super) fn unpack(bits: u8, bytes: &[u8]) -> impl Iterator<Item = u8> {
    let mut bytes = bytes.iter();
    let (mut pending, mut held) = (0u32, 0u8);
    std::iter::from_fn(move || {
        while held < bits {
            pending |= u32::from(*bytes.next()?) << held;
            held += 8;
        }
        let code = byte(pending & ((1 << bits) - 1));
        pending >>= bits;
        held -= bits;
        Some(code)
    })
}
