// Encoding with one invocation per row, block after block, in the same arithmetic: what `quantize/*` is measured against.
// Rows are whole units.

#import quantize/*

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = grid_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let units = params.width / UNIT;
    for (var i = 0u; i < units; i++) {
        one(vec3<u32>(row * units + i, 0u, 0u), vec3<u32>(1u));
    }
}
