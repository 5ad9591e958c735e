// Reads of a side's cache at any byte. Import as `kv`.

// The four bytes from `at` on.
fn kv_bytes4(at: u32) -> u32 {
    let shift = (at & 3u) * 8u;
    let low = kv_words[at >> 2u];
    // At a word's start the next word is not touched: there may be none.
    let high = kv_words[(at >> 2u) + u32(shift > 0u)];
    return select(low, (low >> shift) | (high << ((32u - shift) & 31u)), shift > 0u);
}

// The two bytes at `at`, which is even.
fn kv_bytes2(at: u32) -> u32 {
    return (kv_words[at >> 2u] >> ((at & 2u) * 8u)) & 0xffffu;
}

fn kv_byte(at: u32) -> u32 {
    return (kv_words[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
}

// The f16 at `at`, which is even.
fn kv_half(at: u32) -> f32 {
    return unpack2x16float(kv_bytes2(at)).x;
}
