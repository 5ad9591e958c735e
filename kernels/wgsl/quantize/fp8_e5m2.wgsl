// FP8 E5M2 of x/scale, half to even, saturating: four elements to a word,
// two words to an invocation.

#import shared/rows
#import shared/grid
#import shared/row_scale
#import shared/minifloat

const UNIT: u32 = 8u;
// Units that an invocation takes.
override RUN: u32 = 1u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let end = params.rows * params.width;
    let first = unit * UNIT * RUN;
    for (var at = first; at < min(first + UNIT * RUN, end); at += 4u) {
        var word = 0u;
        for (var i = 0u; i < min(4u, end - at); i++) {
            word |= minifloat(E5M2, scaled(at + i)) << (8u * i);
        }
        dst[at / 4u] = word;
    }
}
