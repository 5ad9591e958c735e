// Encoding keys per channel with an invocation per pair of channels, whose scales share a word, group of tokens after group:
// what `shared/kivi_key` is measured against.

#import channels/*

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let pair = grid_index(id, groups, 64u);
    let pairs = params.width / 2u;
    if pair >= pairs {
        return;
    }
    for (var tokens = 0u; tokens < params.rows / KIVI_GROUP; tokens++) {
        one(vec3<u32>(tokens * pairs + pair, 0u, 0u), vec3<u32>(1u));
    }
}
