// More of `shared/exact`.

#import shared/exact

fn exact_sub(x: u32, y: u32) -> u32 {
    return exact_add(x, y ^ EXACT_SIGN);
}

// 1/x, and 0 for 0.
fn exact_reciprocal(x: u32) -> u32 {
    return select(exact_div(bitcast<u32>(1.0f), x), 0u, (x & ~EXACT_SIGN) == 0u);
}

// The nearest whole number, ties to even, as f32.
fn exact_round_even(x: u32) -> u32 {
    let magnitude = x & ~EXACT_SIGN;
    let sign = x & EXACT_SIGN;
    let exponent = magnitude >> 23u;
    if exponent >= 150u {
        return x;
    }
    if magnitude <= 0x3f000000u {
        return sign;
    }
    if exponent == 126u {
        return sign | 0x3f800000u;
    }
    // Half a unit carries into the exponent where it must.
    let unit = 1u << (150u - exponent);
    let odd = (magnitude / unit) & 1u;
    return sign | ((magnitude + unit / 2u - 1u + odd) & ~(unit - 1u));
}
