// Block-GTQ's keys: the dimensions of each width are one TurboQuant vector, with a norm, a rotation and a codebook of its
// own. Codes of all widths, ascending, then the norms. One workgroup takes as many keys as end on a word.

#import shared/key_blocks

@group(0) @binding(0) var<uniform> params: KeyBlocks;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;

#import shared/direction
#import shared/turned_codes
#import shared/staging

// Lanes that one unit of rows takes.
const LANES: u32 = 64u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let unit = id.y * groups.x + id.x;
    let first = unit * params.rows_per_unit;
    if first >= params.tokens {
        return;
    }
    let count = min(params.rows_per_unit, params.tokens - first);
    staged_clear(lane, TURN_LANES, count * params.row_bytes);
    for (var g = 0u; g < params.groups; g++) {
        let group = key_group(g);
        workgroupBarrier();
        for (var i = lane; i + 1u < 1u << group.bits; i += TURN_LANES) {
            turn_cuts[i] = bitcast<i32>(table[group.cuts + i]);
        }
        for (var row = 0u; row < count; row++) {
            let key = (first + row) * params.stride + params.first;
            workgroupBarrier();
            for (var i = lane; i < group.n; i += TURN_LANES) {
                turn_given[i] = src[key + table[group.dims + i]];
            }
            workgroupBarrier();
            let norm = turned_codes(lane, group.n, group.bits);
            let bit = row * params.row_bytes * 8u;
            for (var i = lane; i < group.n; i += TURN_LANES) {
                staged_put(bit + group.codes + i * group.stored, turn_codes[i], group.stored);
            }
            if lane == 0u {
                staged_put(bit + key_norm(g) * 8u, half_f16(norm), 16u);
            }
        }
    }
    workgroupBarrier();
    staged_write(lane, TURN_LANES, (params.base + first * params.row_bytes) / 4u, count * params.row_bytes);
}
