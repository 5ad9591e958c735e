#import shared/record as kv
#import shared/bytes as kv
#import layout/q8_0

// q8_0: blocks begin on a half word, so a block's words straddle two of ours every other time.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q8_0_ELEMENTS * Q8_0_BYTES;
    let word = kv_bytes4(block + Q8_0_QS + at % Q8_0_ELEMENTS);
    let codes = bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
    return vec4<f32>(codes) * kv_half(block + Q8_0_D);
}
