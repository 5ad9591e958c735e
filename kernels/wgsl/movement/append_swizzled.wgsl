// Scales of values into pages that keep them transposed in groups of four slots: one invocation per scale, a byte each.
// A page of a contiguous cache is its run of slots.

#import shared/append

@group(0) @binding(3) var<storage, read> table: array<u32>;

fn append_slot(token: u32) -> u32 {
    if params.page_size == 0u {
        return token;
    }
    return table[token / params.page_size] * params.page_size + token % params.page_size;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let index = grid_index(id, groups, 64u);
    let scale = index % params.record_bytes;
    let record = index / params.record_bytes;
    let row = record / params.dst_side.heads;
    let head = record % params.dst_side.heads;
    if row >= params.rows {
        return;
    }
    let slot = append_slot(params.first_token + row);
    let quarter = params.record_bytes / 4u;
    let to = record_byte(slot / 4u * 4u + scale / quarter, head) + scale % quarter * 4u + slot % 4u;
    let at = params.src_base + row * params.src_row_bytes + head * params.src_head_bytes + scale;
    cache_put(to, to + 1u, src_bytes(at, 1u));
}
