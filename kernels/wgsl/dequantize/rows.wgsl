// A packed cache of one sequence to f32, token by token and head by head, four elements to an invocation, with the
// decoder attention uses.

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

const UNIT: u32 = 4u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let columns = params.src_side.head_dim / UNIT;
    let vector = unit / columns;
    let token = vector / params.src_side.heads;
    if token >= params.tokens {
        return;
    }
    let record = src_record(Place(0u, token, token, params.tokens), vector % params.src_side.heads);
    dst[unit] = src_load4(record, unit % columns * UNIT);
}
