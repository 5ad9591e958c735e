// What a workgroup does with a unit of rows, done by one invocation: what kernels that share a row among lanes are measured
// against.

#import shared/grid
#import alone/*

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    one(vec3<u32>(grid_index(id, groups, 64u), 0u, 0u), vec3<u32>(1u), 0u);
}
