// q5_1 as ggml's reference encodes it: d = (max − min)/31 and m = min as f16, then codes ⌊(x − min) · 1/d + 0.5⌋; fifth bits in a word.
// One invocation takes one block.

#import shared/rows
#import shared/grid
#import shared/half
#import shared/exact_more
#import shared/order
#import shared/near
#import shared/stream
#import shared/nibbles
#import layout/q5_1

const UNIT: u32 = Q5_1_ELEMENTS;
// Units that an invocation takes.
override RUN: u32 = 1u;

fn exact_code(x: u32, low: u32, inverse: u32) -> u32 {
    return exact_low_byte(exact_add(exact_mul(exact_sub(x, low), inverse), bitcast<u32>(0.5f)));
}

fn code(x: u32, low: u32, inverse: u32, plain: bool) -> u32 {
    let raised = (bitcast<f32>(x) - bitcast<f32>(low)) * bitcast<f32>(inverse) + 0.5f;
    let whole = floor(raised);
    return select(u32(whole), UNSURE, !plain || near_edge(raised, whole));
}

fn block(first: u32) {
    var range = RANGE_EMPTY;
    for (var i = 0u; i < UNIT; i++) {
        range = range_with(range, src[first + i]);
    }
    let d = exact_div(exact_sub(range.high, range.low), bitcast<u32>(31.0f));
    let inverse = exact_reciprocal(d);
    let plain = near_middle(max(range.low & ~EXACT_SIGN, range.high & ~EXACT_SIGN));
    var nibbles = NIBBLES_NONE;
    var unsure = 0u;
    for (var i = 0u; i < UNIT / 2u; i++) {
        let low = code(src[first + i], range.low, inverse, plain);
        let high = code(src[first + i + UNIT / 2u], range.low, inverse, plain);
        nibbles = nibbles_with(nibbles, i, low, high);
        unsure |= ((low >> 31u) << i) | ((high >> 31u) << (i + 16u));
    }
    for (; unsure != 0u; unsure &= unsure - 1u) {
        let i = firstTrailingBit(unsure);
        nibbles = nibbles_with_one(nibbles, i, exact_code(src[first + i], range.low, inverse));
    }
    stream_put(half_f16(d), 16u);
    stream_put(half_f16(range.low), 16u);
    stream_put(nibbles.fifth & 0xffffu, 16u);
    stream_put(nibbles.fifth >> 16u, 16u);
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
    stream_begin(first / UNIT * Q5_1_BYTES);
    for (var at = first; at < min(first + UNIT * RUN, end); at += UNIT) {
        block(at);
    }
    stream_end();
}
