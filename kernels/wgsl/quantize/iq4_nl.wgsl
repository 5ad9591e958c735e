// iq4_nl as ggml's cache path encodes it: codes are the nearest of 16 levels at the scale that puts the extreme on the
// lowest one, half-way up; then d = Σw·q·x / Σw·q² with w = x², as f16. One invocation takes two blocks: 36 bytes.
//
// A block whose extreme is below 1e-15 has d = 0 and, until quantize/iq4_nl_repeat has run, codes of zero.

#import shared/rows
#import shared/grid
#import shared/half
#import shared/exact_more
#import shared/order
#import shared/near
#import shared/stream
#import shared/nibbles
#import shared/iq4_levels
#import shared/iq4_extreme
#import layout/iq4_nl

const UNIT: u32 = 2u * IQ4_NL_ELEMENTS;
// Units that an invocation takes.
override RUN: u32 = 1u;

// The nearest level, every distance rounded as f32 rounds it.
fn exact_code(x: u32) -> u32 {
    var code = 0u;
    for (var low = 0u; low < 15u; low++) {
        let below = exact_sub(x, bitcast<u32>(iq4_level(low)));
        let above = exact_sub(bitcast<u32>(iq4_level(low + 1u)), x);
        // below ≥ above: with NaN neither.
        let comparable = max(below & ~EXACT_SIGN, above & ~EXACT_SIGN) <= EXACT_INF;
        code = select(code, low + 1u, comparable && !exact_less(below, above));
    }
    return code;
}

fn code(x: u32, inverse: u32, plain: bool) -> u32 {
    let value = bitcast<f32>(x) * bitcast<f32>(inverse);
    var code = 0u;
    var nearest = 1.0f;
    for (var low = 0u; low < 15u; low++) {
        let off = value - 0.5f * (iq4_level(low) + iq4_level(low + 1u));
        code = select(code, low + 1u, off >= 0.0f);
        nearest = min(nearest, abs(off));
    }
    return select(code, UNSURE, !plain || nearest < NEAR);
}

// d as f16 from the codes, by the reference's operations.
fn exact_scale(first: u32, codes: ptr<function, array<u32, IQ4_NL_ELEMENTS>>) -> u32 {
    var qx = 0u;
    var qq = 0u;
    for (var i = 0u; i < IQ4_NL_ELEMENTS; i++) {
        let x = src[first + i];
        let q = bitcast<u32>(iq4_level((*codes)[i]));
        let wq = exact_mul(exact_mul(x, x), q);
        qx = exact_add(qx, exact_mul(wq, x));
        qq = exact_add(qq, exact_mul(wq, q));
    }
    return half_f16(exact_div(qx, qq));
}

// The same in plain f32 where that is certain: all terms but a few tiny ones have one sign, so that the sums are good to
// some 2^-18, and d is taken where 2^-15 more or less is the same f16.
fn scale(first: u32, codes: ptr<function, array<u32, IQ4_NL_ELEMENTS>>, extreme: u32) -> u32 {
    let exponent = (extreme & ~EXACT_SIGN) >> 23u;
    if exponent > 100u && exponent < 154u {
        var qx = 0.0f;
        var qq = 0.0f;
        for (var i = 0u; i < IQ4_NL_ELEMENTS; i++) {
            let x = bitcast<f32>(src[first + i]);
            let q = iq4_level((*codes)[i]);
            qx += x * x * q * x;
            qq += x * x * q * q;
        }
        let d = bitcast<u32>(qx / qq);
        let half = half_f16(d - 256u);
        if half == half_f16(d + 256u) {
            return half;
        }
    }
    return exact_scale(first, codes);
}

fn block(first: u32) {
    var extreme = 0u;
    for (var i = 0u; i < IQ4_NL_ELEMENTS; i++) {
        extreme = extreme_with(extreme, src[first + i]);
    }
    var codes: array<u32, IQ4_NL_ELEMENTS>;
    var d = 0u;
    if (extreme & ~EXACT_SIGN) >= IQ4_LEAST_EXTREME {
        let inverse = exact_div(bitcast<u32>(1.0f), exact_div(extreme, bitcast<u32>(iq4_level(0u))));
        let plain = near_middle(extreme & ~EXACT_SIGN);
        var unsure = 0u;
        for (var i = 0u; i < IQ4_NL_ELEMENTS; i++) {
            let found = code(src[first + i], inverse, plain);
            codes[i] = found;
            unsure |= (found >> 31u) << i;
        }
        for (; unsure != 0u; unsure &= unsure - 1u) {
            let i = firstTrailingBit(unsure);
            codes[i] = exact_code(exact_mul(inverse, src[first + i]));
        }
        d = scale(first, &codes, extreme);
    }
    var nibbles = NIBBLES_NONE;
    for (var i = 0u; i < IQ4_NL_ELEMENTS / 2u; i++) {
        nibbles = nibbles_with(nibbles, i, codes[i], codes[i + IQ4_NL_ELEMENTS / 2u]);
    }
    stream_put(d, 16u);
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
    stream_begin(first / IQ4_NL_ELEMENTS * IQ4_NL_BYTES);
    for (var at = first; at < min(first + UNIT * RUN, end); at += IQ4_NL_ELEMENTS) {
        block(at);
    }
    stream_end();
}
