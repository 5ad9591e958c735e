#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import layout/q4_1
#import shared/bits

// q4_1: nibbles as in q4_0, a scale and a minimum.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q4_1_ELEMENTS * Q4_1_BYTES;
    let place = at % Q4_1_ELEMENTS;
    let word = kv_bytes4(block + Q4_1_QS + place % 16u) >> (place / 16u * 4u);
    let codes = low_nibbles(word);
    return vec4<f32>(codes) * kv_half(block + Q4_1_D) + kv_half(block + Q4_1_M);
}

// Half a block: what its elements share is read once.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q4_1_ELEMENTS * Q4_1_BYTES;
    let place = at % Q4_1_ELEMENTS;
    let words = kv_bytes16(block + Q4_1_QS) >> vec4<u32>(place / 16u * 4u);
    let d = kv_half(block + Q4_1_D);
    let m = kv_half(block + Q4_1_M);
    return mat4x4<f32>(
        vec4<f32>(low_nibbles(words.x)) * d + m,
        vec4<f32>(low_nibbles(words.y)) * d + m,
        vec4<f32>(low_nibbles(words.z)) * d + m,
        vec4<f32>(low_nibbles(words.w)) * d + m,
    );
}
