// The tokens of a cache that stay in f16, after those that are packed: an even number of elements.

#import shared/grid
#import shared/half

struct Window {
    // The first element of `src` that stays, and how many do.
    first: u32,
    elements: u32,
    // The first word of `dst` that they take.
    to: u32,
}

@group(0) @binding(0) var<uniform> params: Window;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

// Elements per invocation: a word.
const PAIR: u32 = 2u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    if unit >= params.elements / PAIR {
        return;
    }
    let at = params.first + unit * PAIR;
    dst[params.to + unit] = half_f16(src[at]) | (half_f16(src[at + 1u]) << 16u);
}
