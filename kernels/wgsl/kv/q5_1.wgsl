#import shared/record as kv
#import shared/bytes as kv
#import layout/q5_1

// q5_1: nibbles as in q4_0, fifth bits in a word of their own, a scale and a minimum.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q5_1_ELEMENTS * Q5_1_BYTES;
    let place = at % Q5_1_ELEMENTS;
    let word = kv_bytes4(block + Q5_1_QS + place % 16u) >> (place / 16u * 4u);
    let fifth = (vec4<u32>(kv_bytes4(block + Q5_1_QH) >> place) << vec4<u32>(4u, 3u, 2u, 1u)) & vec4<u32>(16u);
    let codes = ((vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u)) | fifth;
    return vec4<f32>(codes) * kv_half(block + Q5_1_D) + kv_half(block + Q5_1_M);
}
