// What the Block-GTQ kernels are given: the keys of one KV head, among those of all heads, and that head's table.

struct KeyBlocks {
    tokens: u32,
    // Elements of a token's keys of all heads, and how many of them come before this head's.
    stride: u32,
    first: u32,
    // Bytes of one packed key.
    row_bytes: u32,
    // Widths in use.
    groups: u32,
    // The byte at which the head's packed keys begin: a whole word.
    base: u32,
}

// The dimensions coded at one width: an entry of the table. The places of its lists are words of the table.
struct KeyGroup {
    bits: u32,
    // Bits of a code as stored: widths past 4 have a byte.
    stored: u32,
    n: u32,
    // Where the codes begin in a packed key, in bits.
    codes: u32,
    // Which elements of the key these dimensions are.
    dims: u32,
    // Where codes change: places in `exact_order`.
    cuts: u32,
    // What codes decode to, before the norm.
    levels: u32,
}

const KEY_GROUP_WORDS: u32 = 7u;

fn key_group(i: u32) -> KeyGroup {
    let at = i * KEY_GROUP_WORDS;
    return KeyGroup(
        table[at],
        table[at + 1u],
        table[at + 2u],
        table[at + 3u],
        table[at + 4u],
        table[at + 5u],
        table[at + 6u],
    );
}

// Where group i's norm is in a packed key, in bytes: norms come last.
fn key_norm(i: u32) -> u32 {
    return params.row_bytes - 2u * (params.groups - i);
}
