// q8_0 as ggml's reference encodes it: d = amax/127 as f16, then 32 codes round(x · 1/d), ties away from zero.
// One invocation takes two blocks: 68 bytes, the least that begins and ends on a word.

#import shared/rows
#import shared/grid
#import shared/half
#import shared/exact
#import shared/near
#import shared/stream
#import layout/q8_0

const UNIT: u32 = 2u * Q8_0_ELEMENTS;
// Units that an invocation takes.
override RUN: u32 = 1u;

fn exact_code(x: u32, inverse: u32) -> u32 {
    return exact_low_byte(exact_round_away(exact_mul(x, inverse)));
}

fn code(x: u32, inverse: u32, plain: bool) -> u32 {
    let raised = bitcast<f32>(x & ~EXACT_SIGN) * bitcast<f32>(inverse) + 0.5f;
    let whole = floor(raised);
    let code = select(u32(whole), ~u32(whole) + 1u, (x & EXACT_SIGN) != 0u) & 0xffu;
    return select(code, UNSURE, !plain || near_edge(raised, whole));
}

fn block(first: u32) {
    var amax = 0u;
    for (var i = 0u; i < Q8_0_ELEMENTS; i++) {
        amax = max(amax, src[first + i] & ~EXACT_SIGN);
    }
    let d = exact_div(amax, bitcast<u32>(127.0f));
    let inverse = select(exact_div(bitcast<u32>(1.0f), d), 0u, d == 0u);
    let plain = near_middle(amax);
    stream_put(half_f16(d), 16u);
    var words: array<u32, Q8_0_ELEMENTS / 4u>;
    var unsure = 0u;
    for (var i = 0u; i < Q8_0_ELEMENTS; i += 4u) {
        let a = code(src[first + i], inverse, plain);
        let b = code(src[first + i + 1u], inverse, plain);
        let c = code(src[first + i + 2u], inverse, plain);
        let e = code(src[first + i + 3u], inverse, plain);
        unsure |= ((a >> 31u) | ((b >> 31u) << 1u) | ((c >> 31u) << 2u) | ((e >> 31u) << 3u)) << i;
        words[i / 4u] = (a & 0xffu) | ((b & 0xffu) << 8u) | ((c & 0xffu) << 16u) | (e << 24u);
    }
    for (; unsure != 0u; unsure &= unsure - 1u) {
        let i = firstTrailingBit(unsure);
        words[i / 4u] |= exact_code(src[first + i], inverse) << (i % 4u * 8u);
    }
    for (var i = 0u; i < Q8_0_ELEMENTS / 4u; i++) {
        stream_put(words[i] & 0xffffu, 16u);
        stream_put(words[i] >> 16u, 16u);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let end = params.rows * params.width;
    let first = unit * UNIT * RUN;
    if first >= end {
        return;
    }
    stream_begin(first / Q8_0_ELEMENTS * Q8_0_BYTES);
    for (var at = first; at < min(first + UNIT * RUN, end); at += Q8_0_ELEMENTS) {
        block(at);
    }
    stream_end();
}
