// Block-GTQ's keys: the dimensions of each width are one TurboQuant vector, with a norm, a rotation and a codebook of its
// own. Codes of all widths, ascending, then the norms. One invocation takes a key: its vectors are short and of any length,
// and lanes that shared them would wait for each other at every level of butterflies. Words that two keys share are put
// together in workgroup memory; a workgroup's keys end on a word.

#import shared/key_blocks

@group(0) @binding(0) var<uniform> params: KeyBlocks;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;

#import shared/direction
#import alone/shared/turned_codes

// Widths of a key, at most.
const WIDTHS: u32 = 8u;

var<private> norms: array<u32, WIDTHS>;
// The word that a key begins in, where it does not begin a word, and the last one's end.
var<workgroup> seams: array<atomic<u32>, 65>;

// Bits of the key, from its first byte on: the seam it begins in, where it has one, then whole words.
var<private> put_word: u32;
var<private> put_pending: u32;
var<private> put_bits: u32;
var<private> put_seam: bool;

fn put(lane: u32, value: u32, bits: u32) {
    put_pending |= value << put_bits;
    put_bits += bits;
    if put_bits >= 32u {
        if put_seam {
            atomicOr(&seams[lane], put_pending);
        } else {
            dst[put_word] = put_pending;
        }
        put_seam = false;
        put_word += 1u;
        put_bits -= 32u;
        put_pending = value >> (bits - put_bits);
    }
}

// The codes of one width, filled up to where the next ones begin.
fn width(lane: u32, key: u32, group: KeyGroup, end: u32) -> u32 {
    for (var i = 0u; i + 1u < 1u << group.bits; i++) {
        turn_cuts[i] = bitcast<i32>(table[group.cuts + i]);
    }
    for (var i = 0u; i < group.n; i++) {
        turn_given[i] = src[key + table[group.dims + i]];
    }
    let norm = turned_codes(0u, group.n, group.bits);
    for (var i = 0u; i < group.n; i++) {
        put(lane, turn_codes[i], group.stored);
    }
    for (var bit = group.codes + group.n * group.stored; bit < end; bit += min(16u, end - bit)) {
        put(lane, 0u, min(16u, end - bit));
    }
    return half_f16(norm);
}

fn packed(lane: u32, token: u32, begin: u32) {
    put_word = begin >> 2u;
    put_pending = 0u;
    put_bits = (begin & 3u) * 8u;
    put_seam = put_bits > 0u;
    for (var g = 0u; g < params.groups; g++) {
        // Past the last width are the norms.
        let next = key_group(min(g + 1u, params.groups - 1u));
        let end = select(next.codes, key_norm(0u) * 8u, g + 1u == params.groups);
        norms[g] = width(lane, token * params.stride + params.first, key_group(g), end);
    }
    for (var g = 0u; g < params.groups; g++) {
        put(lane, norms[g], 16u);
    }
    if put_bits > 0u {
        // A key within one word both begins and ends in seams.
        atomicOr(&seams[select(lane + 1u, lane, put_seam)], put_pending);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let token = (id.y * groups.x + id.x) * 64u + lane;
    let begin = params.base + token * params.row_bytes;
    let takes = token < params.tokens;
    atomicStore(&seams[lane], 0u);
    if lane == 0u {
        atomicStore(&seams[64], 0u);
    }
    workgroupBarrier();
    if takes {
        packed(lane, token, begin);
    }
    workgroupBarrier();
    if takes && (begin & 3u) != 0u {
        dst[begin >> 2u] = atomicLoad(&seams[lane]);
    }
    let end = begin + params.row_bytes;
    if token + 1u == params.tokens && (end & 3u) != 0u {
        dst[end >> 2u] = atomicLoad(&seams[lane + 1u]);
    }
}
