#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import layout/q4_0
#import shared/bits

// q4_0: the first half of a block is its low nibbles, the second its high ones.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q4_0_ELEMENTS * Q4_0_BYTES;
    let place = at % Q4_0_ELEMENTS;
    let word = kv_bytes4(block + Q4_0_QS + place % 16u) >> (place / 16u * 4u);
    let codes = low_nibbles(word);
    return (vec4<f32>(codes) - 8.0f) * kv_half(block + Q4_0_D);
}

// Half a block: what its elements share is read once.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q4_0_ELEMENTS * Q4_0_BYTES;
    let place = at % Q4_0_ELEMENTS;
    let words = kv_bytes16(block + Q4_0_QS) >> vec4<u32>(place / 16u * 4u);
    let d = kv_half(block + Q4_0_D);
    return mat4x4<f32>(
        vec4<f32>(low_nibbles(words.x)) - 8.0f,
        vec4<f32>(low_nibbles(words.y)) - 8.0f,
        vec4<f32>(low_nibbles(words.z)) - 8.0f,
        vec4<f32>(low_nibbles(words.w)) - 8.0f,
    ) * d;
}
