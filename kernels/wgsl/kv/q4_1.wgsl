#import shared/record as kv
#import shared/bytes as kv
#import layout/q4_1

// q4_1: nibbles as in q4_0, a scale and a minimum.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q4_1_ELEMENTS * Q4_1_BYTES;
    let place = at % Q4_1_ELEMENTS;
    let word = kv_bytes4(block + Q4_1_QS + place % 16u) >> (place / 16u * 4u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return vec4<f32>(codes) * kv_half(block + Q4_1_D) + kv_half(block + Q4_1_M);
}
