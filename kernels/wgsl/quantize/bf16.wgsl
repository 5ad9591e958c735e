// bf16, half to even: two elements to a word, four words to an invocation.

#import shared/rows
#import shared/grid
#import shared/half

const UNIT: u32 = 8u;
// Units that an invocation takes.
override RUN: u32 = 1u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let end = params.rows * params.width;
    let first = unit * UNIT * RUN;
    for (var at = first; at < min(first + UNIT * RUN, end); at += 2u) {
        var word = half_bf16(src[at]);
        if at + 1u < end {
            word |= half_bf16(src[at + 1u]) << 16u;
        }
        dst[at / 2u] = word;
    }
}
