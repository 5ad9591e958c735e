#import shared/exact

// The correctly rounded square root of a positive number or zero; infinity and NaN give themselves.
fn exact_sqrt(x: u32) -> u32 {
    if x == 0u || x >= EXACT_INF {
        return x;
    }
    // s·2^e with an even e, and two bits of s per bit of the root.
    let p = exact_parts(x);
    let odd = u32(p.exponent) & 1u;
    let radicand = p.significand << odd;
    var rest = 0u;
    var root = 0u;
    for (var bit = 0u; bit < 26u; bit++) {
        let pair = select(0u, (radicand >> (24u - 2u * min(bit, 12u))) & 3u, bit < 13u);
        rest = (rest << 2u) | pair;
        let trial = (root << 2u) | 1u;
        let one = rest >= trial;
        rest -= select(0u, trial, one);
        root = (root << 1u) | u32(one);
    }
    return exact_round(0u, root, rest != 0u, (p.exponent - i32(odd) - 26) / 2);
}

// A number's place among all numbers, NaN aside: x < y is order(x) < order(y), and both zeros are one place.
fn exact_order(x: u32) -> i32 {
    let magnitude = i32(x & ~EXACT_SIGN);
    return select(magnitude, -magnitude, (x & EXACT_SIGN) != 0u);
}
