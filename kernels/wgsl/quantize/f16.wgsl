// f16, half to even: two elements to a word.

#import shared/rows
#import shared/grid
#import shared/half

const UNIT: u32 = 2u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let end = params.rows * params.width;
    let first = unit * UNIT;
    if first >= end {
        return;
    }
    var word = half_f16(src[first]);
    if first + 1u < end {
        word |= half_f16(src[first + 1u]) << 16u;
    }
    dst[unit] = word;
}
