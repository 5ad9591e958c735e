#import layout/q8_0

// Reads four elements of a row of q8_0; `row` is the row's first byte, `element` a multiple of 4. Blocks begin on a
// half word, so a block's words straddle two of ours every other time.
fn kv_load4(row: u32, element: u32) -> vec4<f32> {
    let block = row + element / Q8_0_ELEMENTS * Q8_0_BYTES;
    let d = unpack2x16float(kv_words[block >> 2u] >> ((block & 2u) * 8u)).x;
    let at = block + 2u + element % Q8_0_ELEMENTS;
    let odd = (at >> 1u) & 1u;
    let low = kv_words[at >> 2u];
    let high = kv_words[(at >> 2u) + odd];
    let word = select(low, (low >> 16u) | (high << 16u), odd == 1u);
    let codes = bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
    return vec4<f32>(codes) * d;
}
