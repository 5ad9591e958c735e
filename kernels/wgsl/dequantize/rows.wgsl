// A packed cache of one sequence to f32, token by token and head by head, with the decoder attention uses.
//
// An invocation takes four elements of a head, the same ones of RUN tokens: where they lie is worked out once, neighbours
// write in order, and there is enough to do for what starting a workgroup costs.

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
const RUN: u32 = 16u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let columns = params.src_side.head_dim / UNIT;
    let row = params.src_side.heads * columns;
    let at = unit % row;
    let head = at / columns;
    let element = at % columns * UNIT;
    let first = unit / row * RUN;
    for (var token = first; token < min(first + RUN, params.tokens); token++) {
        dst[token * row + at] = src_load4(src_record(Place(0u, token, token, params.tokens), head), element);
    }
}
