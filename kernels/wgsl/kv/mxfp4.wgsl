#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/e2m1
#import shared/bits
#import layout/mxfp4

// Half of what a block's exponent says: the smallest scale is a number too, and values are doubled for it.
fn kv_half_scale(block: u32) -> f32 {
    let e = kv_byte(block + MXFP4_E);
    return bitcast<f32>(select((e - 1u) << 23u, 0x00200000u << e, e < 2u));
}

// mxfp4: an exponent, then E2M1 codes in nibbles, the first half of the block in the low ones.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / MXFP4_ELEMENTS * MXFP4_BYTES;
    let place = at % MXFP4_ELEMENTS;
    let word = kv_bytes4(block + MXFP4_QS + place % 16u) >> (place / 16u * 4u);
    return e2m1_values(nibbles_together(word)) * 2.0f * kv_half_scale(block);
}

// Half a block: what its elements share is read once.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let at = record.first + element;
    let block = record.codes + at / MXFP4_ELEMENTS * MXFP4_BYTES;
    let place = at % MXFP4_ELEMENTS;
    let words = kv_bytes16(block + MXFP4_QS) >> vec4<u32>(place / 16u * 4u);
    return mat4x4<f32>(
        e2m1_values(nibbles_together(words.x)),
        e2m1_values(nibbles_together(words.y)),
        e2m1_values(nibbles_together(words.z)),
        e2m1_values(nibbles_together(words.w)),
    ) * 2.0f * kv_half_scale(block);
}
