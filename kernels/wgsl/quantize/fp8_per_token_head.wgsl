// FP8 E4M3 with a scale per token and head: codes of x/s, then s = max(amax/448, 1e-6) as f32. One invocation takes
// `rows_per_unit` vectors.

#import shared/rows
#import shared/grid
#import shared/vector_scale
#import shared/near
#import shared/minifloat
#import shared/stream

fn code(x: u32, scale: u32, inverse: u32, plain: bool) -> u32 {
    if plain {
        // A few units in the last place either way: most quotients have the same code all the same.
        let quotient = bitcast<u32>(bitcast<f32>(x & ~EXACT_SIGN) * bitcast<f32>(inverse));
        let code = minifloat(E4M3, quotient + 16u);
        if minifloat(E4M3, max(quotient, 16u) - 16u) == code {
            return code | ((x >> 24u) & 0x80u);
        }
    }
    return minifloat(E4M3, exact_div(x, scale));
}

fn vector(first: u32) {
    let scale = vector_scale(vector_amax(first), 448.0f);
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
