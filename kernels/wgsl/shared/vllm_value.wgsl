// Values of vLLM's TurboQuant: minimum and maximum of a vector, s = (max − min)/top but at least 1e-8, codes
// ⌊(v − min)/s + ½⌋ as a little-endian bit stream, then s and the minimum in f16. Import after `VALUE_BITS` is defined.
// One invocation takes as many vectors as end on a word.

#import shared/rows
#import shared/grid
#import shared/half
#import shared/exact
#import shared/root
#import shared/near
#import shared/stream

const VALUE_TOP: u32 = (1u << VALUE_BITS) - 1u;

fn code(x: u32, lowest: u32, scale: u32, plain: bool) -> u32 {
    let raised = (bitcast<f32>(x) - bitcast<f32>(lowest)) / bitcast<f32>(scale) + 0.5f;
    let whole = floor(raised);
    if plain && !near_edge(raised, whole) {
        return min(u32(whole), VALUE_TOP);
    }
    let step = exact_add(exact_div(exact_add(x, lowest ^ EXACT_SIGN), scale), bitcast<u32>(0.5f));
    // Infinity and NaN are the top as well.
    if step >= bitcast<u32>(f32(VALUE_TOP)) {
        return VALUE_TOP;
    }
    return exact_low_byte(step);
}

fn vector(first: u32) {
    var lowest = EXACT_INF - 1u;
    var highest = lowest | EXACT_SIGN;
    for (var i = 0u; i < params.width; i++) {
        let x = src[first + i];
        lowest = select(lowest, x, exact_order(x) < exact_order(lowest));
        highest = select(highest, x, exact_order(x) > exact_order(highest));
    }
    let range = exact_add(highest, lowest ^ EXACT_SIGN);
    let scale = max(exact_div(range, bitcast<u32>(f32(VALUE_TOP))), bitcast<u32>(1e-8f));
    let plain = near_middle(range);
    for (var i = 0u; i < params.width; i++) {
        stream_put(code(src[first + i], lowest, scale, plain), VALUE_BITS);
    }
    stream_put(0u, (8u - (params.width * VALUE_BITS) % 8u) % 8u);
    stream_put(half_f16(scale), 16u);
    stream_put(half_f16(lowest), 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let first = grid_index(id, groups, 64u) * params.rows_per_unit;
    if first >= params.rows {
        return;
    }
    stream_begin(first * ((params.width * VALUE_BITS + 7u) / 8u + 4u));
    for (var row = first; row < min(first + params.rows_per_unit, params.rows); row++) {
        vector(row * params.width);
    }
    stream_end();
}
