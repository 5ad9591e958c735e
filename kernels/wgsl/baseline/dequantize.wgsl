// Decoding with one invocation per head's vector: what `dequantize/rows` is measured against.

#import shared/geometry

struct Packed {
    src_side: Geometry,
    tokens: u32,
}

@group(0) @binding(0) var<uniform> params: Packed;
@group(0) @binding(1) var<storage, read> src_words: array<u32>;
@group(0) @binding(2) var<storage, read> beside: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<vec4<f32>>;

#import shared/grid
#import kv/* as src

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let vector = grid_index(id, groups, 64u);
    let token = vector / params.src_side.heads;
    if token >= params.tokens {
        return;
    }
    let columns = params.src_side.head_dim / 4u;
    let record = src_record(Place(0u, token, token, params.tokens), vector % params.src_side.heads);
    for (var c = 0u; c < columns; c++) {
        dst[vector * columns + c] = src_load4(record, c * 4u);
    }
}
