// Reads four elements of a row of f32; `row` is the row's first byte, `element` a multiple of 4.
fn kv_load4(row: u32, element: u32) -> vec4<f32> {
    let at = (row >> 2u) + element;
    return bitcast<vec4<f32>>(vec4<u32>(kv_words[at], kv_words[at + 1u], kv_words[at + 2u], kv_words[at + 3u]));
}
