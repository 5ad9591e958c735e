// Codes of a block of 32 in ggml's order: the low nibbles are its first half, the high nibbles its second; bit j of the
// word of fifth bits is element j.

struct Nibbles {
    words: vec4<u32>,
    fifth: u32,
}

const NIBBLES_NONE: Nibbles = Nibbles(vec4<u32>(0u), 0u);

// With the codes of elements `i` and `i + 16`.
fn nibbles_with(nibbles: Nibbles, i: u32, low: u32, high: u32) -> Nibbles {
    var next = nibbles;
    next.words[i / 4u] |= ((low & 15u) | ((high & 15u) << 4u)) << (i % 4u * 8u);
    next.fifth |= (((low >> 4u) & 1u) << i) | (((high >> 4u) & 1u) << (i + 16u));
    return next;
}

// With the code of element `i`, any of the 32.
fn nibbles_with_one(nibbles: Nibbles, i: u32, code: u32) -> Nibbles {
    return nibbles_with(nibbles, i & 15u, select(code, 0u, i > 15u), select(0u, code, i > 15u));
}

fn nibbles_put(nibbles: Nibbles) {
    for (var i = 0u; i < 4u; i++) {
        stream_put(nibbles.words[i] & 0xffffu, 16u);
        stream_put(nibbles.words[i] >> 16u, 16u);
    }
}
