#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import layout/q8_0
#import shared/bits

// q8_0: blocks begin on a half word, so a block's words straddle two of ours every other time.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q8_0_ELEMENTS * Q8_0_BYTES;
    let word = kv_bytes4(block + Q8_0_QS + at % Q8_0_ELEMENTS);
    return signed_bytes(word) * kv_half(block + Q8_0_D);
}

// Half a block under one scale.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let at = record.first + element;
    let block = record.codes + at / Q8_0_ELEMENTS * Q8_0_BYTES;
    let words = kv_bytes16(block + Q8_0_QS + at % Q8_0_ELEMENTS);
    return mat4x4<f32>(signed_bytes(words.x), signed_bytes(words.y), signed_bytes(words.z), signed_bytes(words.w))
        * kv_half(block + Q8_0_D);
}
