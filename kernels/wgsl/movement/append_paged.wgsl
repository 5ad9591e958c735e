// Rows into a paged cache: the block table names the page of each `page_size` tokens.

#import shared/append

@group(0) @binding(3) var<storage, read> table: array<u32>;

fn append_slot(token: u32) -> u32 {
    return table[token / params.page_size] * params.page_size + token % params.page_size;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    append_word(grid_index(id, groups, 64u));
}
