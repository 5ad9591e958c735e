// mxfp4 in ggml's layout: e = ⌊log2 amax⌋ − 2 + 127 in a byte, then 32 E2M1 codes, the nearest to x at the scale 2^(e − 127),
// of two equally near the smaller code. One invocation takes four blocks: 68 bytes.
//
// log2 is rounded to f32 before it is rounded down, so that a value just below a power of two counts as that power.

#import shared/rows
#import shared/grid
#import shared/exact_more
#import shared/near
#import shared/stream
#import shared/nibbles
#import shared/e2m1
#import layout/mxfp4

const UNIT: u32 = 4u * MXFP4_ELEMENTS;
// Units that an invocation takes.
override RUN: u32 = 1u;

// The nearest code, every distance rounded as f32 rounds it. `half` is half the scale; codes are doubled values.
fn exact_code(x: u32, half: u32) -> u32 {
    var best = 0u;
    var least = EXACT_NAN;
    for (var code = 0u; code < 16u; code++) {
        let doubled = bitcast<u32>(2.0f * e2m1_values(code).x);
        let error = exact_sub(exact_mul(doubled, half), x) & ~EXACT_SIGN;
        // The first is taken as it is; NaN never replaces one, and nothing replaces NaN.
        let nearer = code == 0u || (least <= EXACT_INF && error < least);
        best = select(best, code, nearer);
        least = select(least, error, nearer);
    }
    return best;
}

fn code(x: u32, e: u32, plain: bool) -> u32 {
    // A power of two: exact.
    let magnitude = bitcast<u32>(bitcast<f32>(x & ~EXACT_SIGN) * bitcast<f32>((254u - e) << 23u));
    let code = e2m1_code(magnitude);
    return select(UNSURE, code | select(0u, (x >> 28u) & 8u, code > 0u), plain && e2m1_certain(magnitude));
}

// ⌊log2 x⌋ of a positive number, log2 rounded to f32 first.
//
// x lies `below` units of 2^-24 under 2^k, so log2 x is about below · 2^-24/ln 2 under k, and rounds to k where that is
// no more than half the distance from k to the f32 before it: 2^m · 2^-24 in the same units, 2^m < |k| ≤ 2^(m+1) for
// positive k, 2^m ≤ |k| < 2^(m+1) for negative k. That leaves ⌊2^m · ln 2⌋ units.
fn floor_log2(x: u32) -> i32 {
    let parts = exact_parts(x);
    let k = parts.exponent + 24;
    let below = 0x1000000u - parts.significand;
    if k == 0 {
        return -1;
    }
    let size = u32(select(-k, k - 1, k > 0));
    let m = 31u - countLeadingZeros(size | 1u);
    let units = u32(floor(f32(1u << m) * 0.6931472f));
    return k - 1 + i32(size > 0u && below <= units);
}

fn block(first: u32) {
    var amax = 0u;
    for (var i = 0u; i < MXFP4_ELEMENTS; i++) {
        amax = max(amax, src[first + i] & ~EXACT_SIGN);
    }
    var e = 0u;
    if amax > 0u {
        e = bitcast<u32>(floor_log2(amax) + 125) & 0xffu;
    }
    let plain = near_middle(amax);
    var nibbles = NIBBLES_NONE;
    var unsure = 0u;
    for (var i = 0u; i < MXFP4_ELEMENTS / 2u; i++) {
        let low = code(src[first + i], e, plain);
        let high = code(src[first + i + MXFP4_ELEMENTS / 2u], e, plain);
        nibbles = nibbles_with(nibbles, i, low, high);
        unsure |= ((low >> 31u) << i) | ((high >> 31u) << (i + 16u));
    }
    let half = select((e - 1u) << 23u, 0x00200000u << e, e < 2u);
    for (; unsure != 0u; unsure &= unsure - 1u) {
        let i = firstTrailingBit(unsure);
        nibbles = nibbles_with_one(nibbles, i, exact_code(src[first + i], half));
    }
    stream_put(e, 8u);
    nibbles_put(nibbles);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let end = params.rows * params.width;
    let first = unit * UNIT * RUN;
    if first >= end {
        return;
    }
    stream_begin(first / MXFP4_ELEMENTS * MXFP4_BYTES);
    for (var at = first; at < min(first + UNIT * RUN, end); at += MXFP4_ELEMENTS) {
        block(at);
    }
    stream_end();
}
