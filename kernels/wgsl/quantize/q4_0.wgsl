// q4_0 as ggml's reference encodes it: d = (the element of greatest magnitude)/−8 as f16, then codes
// ⌊x · 1/d + 8.5⌋, at most 15; low nibbles are the first half of the block, high nibbles the second.
// One invocation takes two blocks: 36 bytes.

#import shared/rows
#import shared/grid
#import shared/half
#import shared/exact
#import shared/near
#import shared/stream
#import shared/nibbles
#import layout/q4_0

const UNIT: u32 = 2u * Q4_0_ELEMENTS;
// Units that an invocation takes.
override RUN: u32 = 1u;

fn exact_code(x: u32, inverse: u32) -> u32 {
    return min(exact_low_byte(exact_add(exact_mul(x, inverse), bitcast<u32>(8.5f))), 15u);
}

fn code(x: u32, inverse: u32, plain: bool) -> u32 {
    let raised = bitcast<f32>(x) * bitcast<f32>(inverse) + 8.5f;
    let whole = floor(raised);
    return select(min(u32(whole), 15u), UNSURE, !plain || near_edge(raised, whole));
}

fn block(first: u32) {
    var extreme = 0u;
    for (var i = 0u; i < Q4_0_ELEMENTS; i++) {
        let x = src[first + i];
        extreme = select(extreme, x, (x & ~EXACT_SIGN) > (extreme & ~EXACT_SIGN));
    }
    // A power of two: the product rounds as the quotient does.
    let d = exact_mul(extreme, bitcast<u32>(-0.125f));
    let inverse = select(exact_div(bitcast<u32>(1.0f), d), 0u, (d & ~EXACT_SIGN) == 0u);
    let plain = near_middle(extreme & ~EXACT_SIGN);
    var nibbles = NIBBLES_NONE;
    var unsure = 0u;
    for (var i = 0u; i < Q4_0_ELEMENTS / 2u; i++) {
        let low = code(src[first + i], inverse, plain);
        let high = code(src[first + i + Q4_0_ELEMENTS / 2u], inverse, plain);
        nibbles = nibbles_with(nibbles, i, low, high);
        unsure |= ((low >> 31u) << i) | ((high >> 31u) << (i + 16u));
    }
    for (; unsure != 0u; unsure &= unsure - 1u) {
        let i = firstTrailingBit(unsure);
        nibbles = nibbles_with_one(nibbles, i, exact_code(src[first + i], inverse));
    }
    stream_put(half_f16(d), 16u);
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
    stream_begin(first / Q4_0_ELEMENTS * Q4_0_BYTES);
    for (var at = first; at < min(first + UNIT * RUN, end); at += Q4_0_ELEMENTS) {
        block(at);
    }
    stream_end();
}
