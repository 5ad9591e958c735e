// Correctly rounded single precision on integers: the same bits on every device.
//
// WGSL lets a device divide to 2.5 ULP, fuse a multiply with an add, and flush subnormals; a code at a tie then comes
// out one off. Quantizers therefore compute on bits. Numbers are f32 bit patterns; infinities and NaN behave as in
// IEEE 754 but for the sign of a NaN.

const EXACT_SIGN: u32 = 0x80000000u;
const EXACT_INF: u32 = 0x7f800000u;
const EXACT_NAN: u32 = 0x7fc00000u;

// A finite positive number as significand · 2^exponent, the significand in [2^23, 2^24).
struct Exact {
    significand: u32,
    exponent: i32,
}

fn exact_parts(magnitude: u32) -> Exact {
    let exponent = i32(magnitude >> 23u);
    let fraction = magnitude & 0x7fffffu;
    if exponent == 0 {
        let shift = countLeadingZeros(fraction) - 8u;
        return Exact(fraction << shift, -149 - i32(shift));
    }
    return Exact(fraction | 0x800000u, exponent - 150);
}

// The f32 nearest to (significand + what `sticky` stands for) · 2^exponent, ties to even.
fn exact_round(sign: u32, significand: u32, sticky: bool, exponent: i32) -> u32 {
    let lead = countLeadingZeros(significand);
    let wide = significand << lead;
    let biased = exponent - i32(lead) + 158;
    if biased >= 255 {
        return sign | EXACT_INF;
    }
    let drop = select(8, 9 - biased, biased <= 0);
    if drop > 32 {
        return sign;
    }
    var kept = 0u;
    var rest = wide;
    if drop < 32 {
        kept = wide >> u32(drop);
        rest = wide << u32(32 - drop);
    }
    let up = rest > 0x80000000u || (rest == 0x80000000u && (sticky || (kept & 1u) == 1u));
    let base = select(u32(biased - 1) << 23u, 0u, biased <= 0);
    return sign | (base + kept + u32(up));
}

fn exact_mul(x: u32, y: u32) -> u32 {
    let sign = (x ^ y) & EXACT_SIGN;
    let a = x & ~EXACT_SIGN;
    let b = y & ~EXACT_SIGN;
    if max(a, b) >= EXACT_INF {
        return select(sign | EXACT_INF, EXACT_NAN, max(a, b) > EXACT_INF || min(a, b) == 0u);
    }
    if min(a, b) == 0u {
        return sign;
    }
    let p = exact_parts(a);
    let q = exact_parts(b);
    let p1 = p.significand >> 12u;
    let p0 = p.significand & 0xfffu;
    let q1 = q.significand >> 12u;
    let q0 = q.significand & 0xfffu;
    let low = p0 * q0;
    let middle = p1 * q0 + p0 * q1 + (low >> 12u);
    let high = p1 * q1 + (middle >> 12u);
    let rest = ((middle & 0xfffu) << 12u) | (low & 0xfffu);
    return exact_round(sign, (high << 8u) | (rest >> 16u), (rest & 0xffffu) != 0u, p.exponent + q.exponent + 16);
}

fn exact_div(x: u32, y: u32) -> u32 {
    let sign = (x ^ y) & EXACT_SIGN;
    let a = x & ~EXACT_SIGN;
    let b = y & ~EXACT_SIGN;
    if a > EXACT_INF || b > EXACT_INF || (a == b && (a == 0u || a == EXACT_INF)) {
        return EXACT_NAN;
    }
    if a == EXACT_INF || b == 0u {
        return sign | EXACT_INF;
    }
    if b == EXACT_INF || a == 0u {
        return sign;
    }
    let p = exact_parts(a);
    let q = exact_parts(b);
    var rest = p.significand;
    var quotient = 0u;
    // 27 bits, three to a round.
    for (var round = 0u; round < 9u; round++) {
        let one = rest >= q.significand;
        rest = (rest - select(0u, q.significand, one)) << 1u;
        let two = rest >= q.significand;
        rest = (rest - select(0u, q.significand, two)) << 1u;
        let three = rest >= q.significand;
        rest = (rest - select(0u, q.significand, three)) << 1u;
        quotient = (quotient << 3u) | (u32(one) << 2u) | (u32(two) << 1u) | u32(three);
    }
    return exact_round(sign, quotient, rest != 0u, p.exponent - q.exponent - 26);
}

fn exact_add(x: u32, y: u32) -> u32 {
    let swap = (y & ~EXACT_SIGN) > (x & ~EXACT_SIGN);
    let large = select(x, y, swap);
    let small = select(y, x, swap);
    let a = large & ~EXACT_SIGN;
    let b = small & ~EXACT_SIGN;
    let opposite = ((large ^ small) & EXACT_SIGN) != 0u;
    if a >= EXACT_INF {
        return select(large, EXACT_NAN, a > EXACT_INF || (b == EXACT_INF && opposite));
    }
    if b == 0u {
        return select(large, 0u, a == 0u && opposite);
    }
    let p = exact_parts(a);
    let q = exact_parts(b);
    // Seven guard bits: what is lost below them only matters as "some".
    let shift = u32(p.exponent - q.exponent);
    let wide = q.significand << 7u;
    var aligned = 0u;
    var sticky = true;
    if shift < 32u {
        aligned = wide >> shift;
        sticky = (aligned << shift) != wide;
    }
    let sum = p.significand << 7u;
    if !opposite {
        return exact_round(large & EXACT_SIGN, sum + aligned, sticky, p.exponent - 7);
    }
    let difference = sum - aligned - u32(sticky);
    if difference == 0u {
        return 0u;
    }
    return exact_round(large & EXACT_SIGN, difference, sticky, p.exponent - 7);
}

// The low byte of C's (int) x: towards zero; 0 for NaN and whatever an int does not hold.
fn exact_low_byte(x: u32) -> u32 {
    let exponent = (x & ~EXACT_SIGN) >> 23u;
    if exponent < 127u || exponent > 157u {
        return 0u;
    }
    let significand = (x & 0x7fffffu) | 0x800000u;
    let whole = select(significand >> (150u - min(exponent, 150u)), significand << (max(exponent, 150u) - 150u), exponent > 150u);
    return select(whole, ~whole + 1u, (x & EXACT_SIGN) != 0u) & 0xffu;
}

// roundf: the nearest whole number, ties away from zero, as f32.
fn exact_round_away(x: u32) -> u32 {
    let magnitude = x & ~EXACT_SIGN;
    let exponent = magnitude >> 23u;
    if exponent >= 150u {
        return x;
    }
    if exponent < 126u {
        return x & EXACT_SIGN;
    }
    if exponent == 126u {
        return (x & EXACT_SIGN) | 0x3f800000u;
    }
    // Half a unit carries into the exponent where it must.
    let half = 1u << (149u - exponent);
    let below = (half << 1u) - 1u;
    return (x & EXACT_SIGN) | ((magnitude + half) & ~below);
}
