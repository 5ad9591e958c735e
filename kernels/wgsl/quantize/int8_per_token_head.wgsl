// int8 with a scale per token and head: codes, then s = max(amax/127, 1e-6) as f32; q = clamp(⌊x/s⌉, −127, 127), half to
// even. One invocation takes `rows_per_unit` vectors.

#import shared/rows
#import shared/grid
#import shared/vector_scale
#import shared/near
#import shared/stream

fn code(x: u32, scale: u32, inverse: u32, plain: bool) -> u32 {
    let raised = bitcast<f32>(x & ~EXACT_SIGN) * bitcast<f32>(inverse) + 0.5f;
    var whole = floor(raised);
    if !plain || near_edge(raised, whole) {
        whole = bitcast<f32>(exact_round_even(exact_div(x & ~EXACT_SIGN, scale)));
    }
    let code = u32(min(whole, 127.0f));
    return select(code, ~code + 1u, (x & EXACT_SIGN) != 0u) & 0xffu;
}

fn vector(first: u32) {
    let amax = vector_amax(first);
    let scale = vector_scale(amax, 127.0f);
    let inverse = exact_reciprocal(scale);
    let plain = near_middle(scale);
    for (var i = first; i < first + params.width; i++) {
        stream_put(code(src[i], scale, inverse, plain), 8u);
    }
    stream_put(scale & 0xffffu, 16u);
    stream_put(scale >> 16u, 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = grid_index(id, groups, 64u) * params.rows_per_unit;
    if row >= params.rows {
        return;
    }
    stream_begin(row * params.row_bytes);
    for (var at = row; at < min(row + params.rows_per_unit, params.rows); at++) {
        vector(at * params.width);
    }
    stream_end();
}
