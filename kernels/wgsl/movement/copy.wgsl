// Words from one buffer to another: the yardstick every other kernel's bytes per second are held against.

#import shared/grid

struct Copy {
    words: u32,
}

@group(0) @binding(0) var<uniform> params: Copy;
@group(0) @binding(1) var<storage, read> src: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> dst: array<vec4<u32>>;

const UNIT: u32 = 4u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = grid_index(id, groups, 64u);
    if at * UNIT < params.words {
        dst[at] = src[at];
    }
}
