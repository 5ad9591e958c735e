#import shared/record as kv
#import shared/bytes as kv
#import layout/q4_0

// q4_0: the first half of a block is its low nibbles, the second its high ones.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q4_0_ELEMENTS * Q4_0_BYTES;
    let place = at % Q4_0_ELEMENTS;
    let word = kv_bytes4(block + Q4_0_QS + place % 16u) >> (place / 16u * 4u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return (vec4<f32>(codes) - 8.0f) * kv_half(block + Q4_0_D);
}
