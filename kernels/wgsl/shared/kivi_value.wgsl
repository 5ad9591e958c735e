// KIVI's values: per vector the codes of its groups of 32 channels, then their scales, then their minima. One invocation
// takes a vector, whose record is whole words. Import after `KIVI_BITS` is defined.

#import shared/rows
#import shared/grid
#import shared/kivi
#import shared/stream

// Groups of the widest vector.
const KIVI_MOST: u32 = 16u;

var<private> metas: array<u32, 2u * KIVI_MOST>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let row = grid_index(id, groups, 64u);
    if row >= params.rows {
        return;
    }
    let count = params.width / KIVI_GROUP;
    stream_begin(row * count * (KIVI_GROUP * KIVI_BITS / 8u + 4u));
    for (var g = 0u; g < count; g++) {
        let first = row * params.width + g * KIVI_GROUP;
        var least = EXACT_INF - 1u;
        var most = least | EXACT_SIGN;
        for (var i = 0u; i < KIVI_GROUP; i++) {
            let x = kivi_half(src[first + i]);
            least = select(least, x, exact_order(x) < exact_order(least));
            most = select(most, x, exact_order(x) > exact_order(most));
        }
        let group = kivi_group(least, most);
        metas[g] = group.scale;
        metas[KIVI_MOST + g] = group.lowest;
        for (var i = 0u; i < KIVI_GROUP; i++) {
            stream_put(kivi_code(group, kivi_half(src[first + i])), KIVI_BITS);
        }
    }
    for (var g = 0u; g < count; g++) {
        stream_put(metas[g], 16u);
    }
    for (var g = 0u; g < count; g++) {
        stream_put(metas[KIVI_MOST + g], 16u);
    }
    stream_end();
}
