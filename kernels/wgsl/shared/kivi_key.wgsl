// KIVI's keys: per head and group of 32 tokens the codes of one channel after the other, then all scales, then all
// minima. One invocation takes two channels: whole words. Import after `KIVI_BITS` is defined.

#import shared/rows
#import shared/grid
#import shared/kivi

const UNIT: u32 = 2u * KIVI_GROUP;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let pairs = params.width / 2u;
    let tokens = unit / pairs;
    if (tokens + 1u) * KIVI_GROUP > params.rows {
        return;
    }
    let element = unit % pairs * 2u;
    let head = element / params.head_dim;
    let channel = element % params.head_dim;
    // Bytes of a head's group: codes and two halves per channel.
    let codes = (tokens * params.heads + head) * params.head_dim * (KIVI_BITS + 1u);
    let scales = codes + params.head_dim * KIVI_BITS + channel / 2u;
    var scale = 0u;
    var lowest = 0u;
    for (var i = 0u; i < 2u; i++) {
        let first = tokens * KIVI_GROUP * params.width + element + i;
        var least = EXACT_INF - 1u;
        var most = least | EXACT_SIGN;
        for (var t = 0u; t < KIVI_GROUP; t++) {
            let x = kivi_half(src[first + t * params.width]);
            least = select(least, x, exact_order(x) < exact_order(least));
            most = select(most, x, exact_order(x) > exact_order(most));
        }
        let group = kivi_group(least, most);
        scale |= group.scale << (16u * i);
        lowest |= group.lowest << (16u * i);
        for (var w = 0u; w < KIVI_BITS; w++) {
            var word = 0u;
            for (var j = 0u; j < 32u / KIVI_BITS; j++) {
                let t = w * (32u / KIVI_BITS) + j;
                word |= kivi_code(group, kivi_half(src[first + t * params.width])) << (j * KIVI_BITS);
            }
            dst[codes + (channel + i) * KIVI_BITS + w] = word;
        }
    }
    dst[scales] = scale;
    dst[scales + params.head_dim / 2u] = lowest;
}
