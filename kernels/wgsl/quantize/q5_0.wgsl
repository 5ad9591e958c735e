// q5_0 as ggml's reference encodes it: d = (the element of greatest magnitude)/−16 as f16, then codes
// ⌊x · 1/d + 16.5⌋, at most 31: fifth bits in a word, the rest in nibbles. One invocation takes two blocks: 44 bytes.

#import shared/rows
#import shared/grid
#import shared/half
#import shared/exact_more
#import shared/order
#import shared/near
#import shared/stream
#import shared/nibbles
#import layout/q5_0

const UNIT: u32 = 2u * Q5_0_ELEMENTS;
// Units that an invocation takes.
override RUN: u32 = 1u;

fn exact_code(x: u32, inverse: u32) -> u32 {
    return min(exact_low_byte(exact_add(exact_mul(x, inverse), bitcast<u32>(16.5f))), 31u);
}

fn code(x: u32, inverse: u32, plain: bool) -> u32 {
    let raised = bitcast<f32>(x) * bitcast<f32>(inverse) + 16.5f;
    let whole = floor(raised);
    return select(min(u32(whole), 31u), UNSURE, !plain || near_edge(raised, whole));
}

fn block(first: u32) {
    var extreme = 0u;
    for (var i = 0u; i < Q5_0_ELEMENTS; i++) {
        extreme = extreme_with(extreme, src[first + i]);
    }
    // A power of two: the product rounds as the quotient does.
    let d = exact_mul(extreme, bitcast<u32>(-0.0625f));
    let inverse = exact_reciprocal(d);
    let plain = near_middle(extreme & ~EXACT_SIGN);
    var nibbles = NIBBLES_NONE;
    var unsure = 0u;
    for (var i = 0u; i < Q5_0_ELEMENTS / 2u; i++) {
        let low = code(src[first + i], inverse, plain);
        let high = code(src[first + i + Q5_0_ELEMENTS / 2u], inverse, plain);
        nibbles = nibbles_with(nibbles, i, low, high);
        unsure |= ((low >> 31u) << i) | ((high >> 31u) << (i + 16u));
    }
    for (; unsure != 0u; unsure &= unsure - 1u) {
        let i = firstTrailingBit(unsure);
        nibbles = nibbles_with_one(nibbles, i, exact_code(src[first + i], inverse));
    }
    stream_put(half_f16(d), 16u);
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
    stream_begin(first / Q5_0_ELEMENTS * Q5_0_BYTES);
    for (var at = first; at < min(first + UNIT * RUN, end); at += Q5_0_ELEMENTS) {
        block(at);
    }
    stream_end();
}
