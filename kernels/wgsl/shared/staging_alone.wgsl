// `shared/staging` for one invocation that has the bytes to itself.

var<private> staged: array<u32, 260>;

fn staged_clear(lane: u32, lanes: u32, bytes: u32) {
    for (var i = lane; i < (bytes + 3u) / 4u; i += lanes) {
        staged[i] = 0u;
    }
}

fn staged_put(at: u32, value: u32, bits: u32) {
    let shift = at & 31u;
    staged[at >> 5u] |= value << shift;
    if shift + bits > 32u {
        staged[(at >> 5u) + 1u] |= value >> (32u - shift);
    }
}

fn staged_write(lane: u32, lanes: u32, word: u32, bytes: u32) {
    for (var i = lane; i < (bytes + 3u) / 4u; i += lanes) {
        dst[word + i] = staged[i];
    }
}
