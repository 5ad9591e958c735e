// Reads four elements of a row of bf16; `row` is the row's first byte, `element` a multiple of 4.
fn kv_load4(row: u32, element: u32) -> vec4<f32> {
    let at = (row >> 2u) + (element >> 1u);
    let low = kv_words[at];
    let high = kv_words[at + 1u];
    return bitcast<vec4<f32>>(vec4<u32>(low << 16u, low & 0xffff0000u, high << 16u, high & 0xffff0000u));
}
