#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import layout/q5_0
#import shared/bits

// q5_0: nibbles as in q4_0, fifth bits in a word of their own.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q5_0_ELEMENTS * Q5_0_BYTES;
    let place = at % Q5_0_ELEMENTS;
    let word = kv_bytes4(block + Q5_0_QS + place % 16u) >> (place / 16u * 4u);
    let fifth = fifth_bits(kv_bytes4(block + Q5_0_QH) >> place);
    let codes = low_nibbles(word) | fifth;
    return (vec4<f32>(codes) - 16.0f) * kv_half(block + Q5_0_D);
}

// Half a block: what its elements share is read once.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q5_0_ELEMENTS * Q5_0_BYTES;
    let place = at % Q5_0_ELEMENTS;
    let words = kv_bytes16(block + Q5_0_QS) >> vec4<u32>(place / 16u * 4u);
    let fifth = kv_bytes2(block + Q5_0_QH + place / 8u);
    let d = kv_half(block + Q5_0_D);
    return mat4x4<f32>(
        vec4<f32>(low_nibbles(words.x) | fifth_bits(fifth)) - 16.0f,
        vec4<f32>(low_nibbles(words.y) | fifth_bits(fifth >> 4u)) - 16.0f,
        vec4<f32>(low_nibbles(words.z) | fifth_bits(fifth >> 8u)) - 16.0f,
        vec4<f32>(low_nibbles(words.w) | fifth_bits(fifth >> 12u)) - 16.0f,
    ) * d;
}
