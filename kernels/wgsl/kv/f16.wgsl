// Reads four elements of a row of f16; `row` is the row's first byte, `element` a multiple of 4.
fn kv_load4(row: u32, element: u32) -> vec4<f32> {
    let at = (row >> 2u) + (element >> 1u);
    return vec4<f32>(unpack2x16float(kv_words[at]), unpack2x16float(kv_words[at + 1u]));
}
