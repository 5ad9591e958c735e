// Rows of packed bytes to f32, four elements to an invocation, with the decoder attention uses.

struct Packed {
    rows: u32,
    width: u32,
    row_bytes: u32,
}

@group(0) @binding(0) var<uniform> params: Packed;
@group(0) @binding(1) var<storage, read> src_words: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<vec4<f32>>;

#import shared/grid
#import kv/* as src

const UNIT: u32 = 4u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let per_row = params.width / UNIT;
    if unit >= params.rows * per_row {
        return;
    }
    dst[unit] = src_load4(unit / per_row * params.row_bytes, unit % per_row * UNIT);
}
