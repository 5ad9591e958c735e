// NVFP4: per head a plane of E2M1 codes (the even element in the low nibble), then a plane of E4M3 scales, one per 16:
// scale = E4M3(amax/6/t) for the tensor's scale t, codes of x/(scale · t). One invocation takes `rows_per_unit` vectors.

#import shared/rows
#import shared/grid
#import shared/exact_more
#import shared/near
#import shared/stream
#import shared/minifloat
#import shared/fp8
#import shared/e2m1
#import shared/row_scale
#import layout/nvfp4

fn amax_of(first: u32) -> u32 {
    var amax = 0u;
    for (var i = 0u; i < NVFP4_ELEMENTS; i++) {
        amax = max(amax, src[first + i] & ~EXACT_SIGN);
    }
    return amax;
}

// The scale's code for a group.
fn scale_code(amax: u32, inverse_tensor: u32) -> u32 {
    return minifloat(E4M3, exact_mul(inverse_tensor, exact_div(amax, bitcast<u32>(6.0f))));
}

fn code(x: u32, inverse: u32, plain: bool) -> u32 {
    var magnitude = bitcast<u32>(bitcast<f32>(x & ~EXACT_SIGN) * bitcast<f32>(inverse));
    if !plain || !e2m1_certain(magnitude) {
        magnitude = exact_mul(x, inverse) & ~EXACT_SIGN;
    }
    return e2m1_code(magnitude) | ((x >> 28u) & 8u);
}

fn vector(first: u32) {
    let inverse_tensor = exact_reciprocal(scale_at(first));
    for (var group = first; group < first + params.width; group += NVFP4_ELEMENTS) {
        let amax = amax_of(group);
        let scale = bitcast<u32>(fp8_e4m3_values(scale_code(amax, inverse_tensor)).x);
        let inverse = exact_reciprocal(exact_mul(scale, exact_reciprocal(inverse_tensor)));
        let plain = near_middle(amax) && near_middle(inverse);
        for (var i = group; i < group + NVFP4_ELEMENTS; i += 2u) {
            stream_put(code(src[i], inverse, plain) | (code(src[i + 1u], inverse, plain) << 4u), 8u);
        }
    }
    for (var group = first; group < first + params.width; group += NVFP4_ELEMENTS) {
        stream_put(scale_code(amax_of(group), inverse_tensor), 8u);
    }
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
