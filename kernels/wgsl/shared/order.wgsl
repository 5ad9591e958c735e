// Comparisons of f32 bit patterns: a device may take subnormals for zeros.

#import shared/exact

// x < y: no NaN is less or greater than anything, and the two zeros are equal.
fn exact_less(x: u32, y: u32) -> bool {
    let a = x & ~EXACT_SIGN;
    let b = y & ~EXACT_SIGN;
    if max(a, b) > EXACT_INF || (a | b) == 0u {
        return false;
    }
    let p = select(x | EXACT_SIGN, ~x, (x & EXACT_SIGN) != 0u);
    let q = select(y | EXACT_SIGN, ~y, (y & EXACT_SIGN) != 0u);
    return p < q;
}

// The least and the greatest of `src[first..first + count]`; of two zeros the first.
struct Range {
    low: u32,
    high: u32,
}

const RANGE_EMPTY: Range = Range(0x7f7fffffu, 0xff7fffffu);

fn range_with(range: Range, x: u32) -> Range {
    return Range(select(range.low, x, exact_less(x, range.low)), select(range.high, x, exact_less(range.high, x)));
}

// The element of the greatest magnitude, the first one if several; +0 if all are zeros.
fn extreme_with(extreme: u32, x: u32) -> u32 {
    return select(extreme, x, (x & ~EXACT_SIGN) > (extreme & ~EXACT_SIGN));
}
