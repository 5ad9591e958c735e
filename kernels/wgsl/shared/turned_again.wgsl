// Finds the vectors that `shared/turned_plain` was not certain of, and has them done again by a whole workgroup each. Import
// after these are defined: `vector_length`, `vectors` and `vector_bytes` as there, `norm_bit`, and `again(vector, lane, bit)`, which
// puts a vector where it begins in the staging area.

#import shared/staging

const LANES: u32 = 64u;
// Elements of a workgroup.
const UNIT: u32 = 16384u;

// Pairs of vectors, which end on a word, with one in doubt.
var<workgroup> pairs: array<u32, 512>;
var<workgroup> pair_count: atomic<u32>;
var<workgroup> pair_word: u32;

fn doubted(vector: u32, n: u32) -> bool {
    let at = vector * vector_bytes(n) + norm_bit(n) / 8u;
    return ((dst[at >> 2u] >> ((at & 2u) * 8u)) & 0xffffu) == TURNED_DOUBTED;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = vector_length();
    let count = vectors();
    let begin = (id.y * groups.x + id.x) * (UNIT / n);
    if begin >= count {
        return;
    }
    if lane == 0u {
        atomicStore(&pair_count, 0u);
    }
    prepare(lane, n);
    workgroupBarrier();
    for (var at = begin + 2u * lane; at < min(begin + UNIT / n, count); at += 2u * LANES) {
        if doubted(at, n) || (at + 1u < count && doubted(at + 1u, n)) {
            pairs[atomicAdd(&pair_count, 1u)] = at;
        }
    }
    workgroupBarrier();
    if lane == 0u {
        pair_word = atomicLoad(&pair_count);
    }
    let found = workgroupUniformLoad(&pair_word);
    for (var i = 0u; i < found; i++) {
        let at = workgroupUniformLoad(&pairs[i]);
        let here = min(2u, count - at);
        staged_clear(lane, LANES, here * vector_bytes(n));
        for (var v = 0u; v < here; v++) {
            again(at + v, lane, v * vector_bytes(n) * 8u);
        }
        workgroupBarrier();
        staged_write(lane, LANES, at * vector_bytes(n) / 4u, here * vector_bytes(n));
    }
}
