// Reads of a side's cache at any byte. Import as `kv`.

// The four bytes from `at` on.
fn kv_bytes4(at: u32) -> u32 {
    let shift = (at & 3u) * 8u;
    let low = kv_words[at >> 2u];
    // At a word's start the next word is not touched: there may be none.
    let high = kv_words[(at >> 2u) + u32(shift > 0u)];
    return select(low, (low >> shift) | (high << ((32u - shift) & 31u)), shift > 0u);
}

// The sixteen bytes from `at` on: five words where four reads of four bytes touch eight.
fn kv_bytes16(at: u32) -> vec4<u32> {
    let shift = (at & 3u) * 8u;
    let first = at >> 2u;
    let low = vec4<u32>(kv_words[first], kv_words[first + 1u], kv_words[first + 2u], kv_words[first + 3u]);
    let last = kv_words[first + 3u + u32(shift > 0u)];
    let high = vec4<u32>(low.yzw, last) << vec4<u32>((32u - shift) & 31u);
    return select(low, (low >> vec4<u32>(shift)) | high, shift > 0u);
}

// The two bytes at `at`, which is even.
fn kv_bytes2(at: u32) -> u32 {
    return (kv_words[at >> 2u] >> ((at & 2u) * 8u)) & 0xffffu;
}

// The two bytes at any byte.
fn kv_two_bytes(at: u32) -> u32 {
    return kv_byte(at) | (kv_byte(at + 1u) << 8u);
}

fn kv_byte(at: u32) -> u32 {
    return (kv_words[at >> 2u] >> ((at & 3u) * 8u)) & 0xffu;
}

// The f16 at `at`, which is even.
fn kv_half(at: u32) -> f32 {
    return unpack2x16float(kv_bytes2(at)).x;
}

// The four f16 from `at` on, which is a multiple of 4.
fn kv_halves4(at: u32) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(kv_words[at >> 2u]), unpack2x16float(kv_words[(at >> 2u) + 1u]));
}
