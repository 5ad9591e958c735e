// Packed bytes in workgroup memory: every lane puts its bits where they belong, in any order, and whole words leave.

// Four rows of 512 one-byte codes and their norms.
const STAGED_WORDS: u32 = 528u;

var<workgroup> staged: array<atomic<u32>, STAGED_WORDS>;

// Clears the first `bytes`; a barrier must follow.
fn staged_clear(lane: u32, lanes: u32, bytes: u32) {
    for (var i = lane; i < (bytes + 3u) / 4u; i += lanes) {
        atomicStore(&staged[i], 0u);
    }
}

// Puts the low `bits` (at most 16) of `value`, whose other bits are zero, at a bit that nobody else writes.
fn staged_put(at: u32, value: u32, bits: u32) {
    let shift = at & 31u;
    atomicOr(&staged[at >> 5u], value << shift);
    if shift + bits > 32u {
        atomicOr(&staged[(at >> 5u) + 1u], value >> (32u - shift));
    }
}

// Writes the first `bytes` to `dst` from a word on, a last partial word filled with zeros; a barrier must come first.
fn staged_write(lane: u32, lanes: u32, word: u32, bytes: u32) {
    for (var i = lane; i < (bytes + 3u) / 4u; i += lanes) {
        dst[word + i] = atomicLoad(&staged[i]);
    }
}
