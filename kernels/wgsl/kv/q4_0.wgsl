#import layout/q4_0

// Reads four elements of a row of q4_0; `row` is the row's first byte, `element` a multiple of 4. The first half of a
// block is its low nibbles, the second its high ones.
fn kv_load4(row: u32, element: u32) -> vec4<f32> {
    let block = row + element / Q4_0_ELEMENTS * Q4_0_BYTES;
    let d = unpack2x16float(kv_words[block >> 2u] >> ((block & 2u) * 8u)).x;
    let place = element % Q4_0_ELEMENTS;
    let at = block + 2u + place % 16u;
    let odd = (at >> 1u) & 1u;
    let low = kv_words[at >> 2u];
    let high = kv_words[(at >> 2u) + odd];
    let word = select(low, (low >> 16u) | (high << 16u), odd == 1u) >> (place / 16u * 4u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return (vec4<f32>(codes) - 8.0f) * d;
}
