// Rows to the end of a contiguous cache.

#import shared/append

fn append_slot(token: u32) -> u32 {
    return token;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    append_word(grid_index(id, groups, 64u));
}
