// Queries for Block-GTQ's keys: the dimensions of each width turned as the keys' are, in the order of their codes, so that
// their products with stored keys are those of plain queries with plain keys. One query head; one workgroup per query.

#import shared/key_blocks

@group(0) @binding(0) var<uniform> params: KeyBlocks;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;

#import shared/turn

// Lanes that one query takes.
const LANES: u32 = 64u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = id.y * groups.x + id.x;
    if token >= params.tokens {
        return;
    }
    let query = token * params.stride + params.first;
    var done = 0u;
    for (var g = 0u; g < params.groups; g++) {
        let group = key_group(g);
        workgroupBarrier();
        for (var i = lane; i < group.n; i += TURN_LANES) {
            turn_bits[i] = src[query + table[group.dims + i]];
        }
        turn_default(lane, group.n, false);
        for (var i = lane; i < group.n; i += TURN_LANES) {
            dst[query + done + i] = turn_bits[i];
        }
        done += group.n;
    }
}
