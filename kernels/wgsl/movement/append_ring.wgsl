// Rows into a ring of `ring` slots: the newest token takes the oldest one's place. `rows` is at most `ring`.

#import shared/append

fn append_slot(token: u32) -> u32 {
    return token % params.ring;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    append_word(grid_index(id, groups, 64u));
}
