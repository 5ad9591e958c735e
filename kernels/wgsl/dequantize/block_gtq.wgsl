// Block-GTQ's keys back, turned back and in their order: the levels of each width are brought to length 1 (norm
// correction) before the stored norm is multiplied on. One invocation takes a key, as when
// it is packed.

#import shared/key_blocks

@group(0) @binding(0) var<uniform> params: KeyBlocks;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;

#import shared/grid
#import alone/shared/turn

fn byte_at(at: u32) -> u32 {
    return (src[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
}

// Two bytes: a code may lie across them, and a norm follows the last code.
fn two_bytes(at: u32) -> u32 {
    return byte_at(at) | (byte_at(at + 1u) << 8u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let token = grid_index(id, groups, 64u);
    if token >= params.tokens {
        return;
    }
    let row = params.base + token * params.row_bytes;
    let key = token * params.stride + params.first;
    for (var g = 0u; g < params.groups; g++) {
        let group = key_group(g);
        for (var i = 0u; i < group.n; i++) {
            let bit = group.codes + i * group.stored;
            let code = (two_bytes(row + bit / 8u) >> (bit & 7u)) & ((1u << group.stored) - 1u);
            turn_bits[i] = table[group.levels + code];
        }
        let length = turn_norm(0u, group.n, false);
        for (var i = 0u; i < group.n; i++) {
            turn_bits[i] = turn_div(turn_bits[i], length, false);
        }
        turn_default_back(0u, group.n);
        let norm = unpack2x16float(two_bytes(row + key_norm(g))).x;
        for (var i = 0u; i < group.n; i++) {
            dst[key + table[group.dims + i]] = bitcast<u32>(bitcast<f32>(turn_bits[i]) * norm);
        }
    }
}
