#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/iq4_levels
#import layout/iq4_nl
#import shared/bits

// iq4_nl: nibbles as in q4_0, each the place of a level.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / IQ4_NL_ELEMENTS * IQ4_NL_BYTES;
    let place = at % IQ4_NL_ELEMENTS;
    let word = kv_bytes4(block + IQ4_NL_QS + place % 16u) >> (place / 16u * 4u);
    return iq4_levels(low_nibbles(word)) * kv_half(block + IQ4_NL_D);
}

// Half a block: what its elements share is read once.
fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let at = record.first + element;
    let block = record.codes + at / IQ4_NL_ELEMENTS * IQ4_NL_BYTES;
    let place = at % IQ4_NL_ELEMENTS;
    let words = kv_bytes16(block + IQ4_NL_QS) >> vec4<u32>(place / 16u * 4u);
    return mat4x4<f32>(
        iq4_levels(low_nibbles(words.x)),
        iq4_levels(low_nibbles(words.y)),
        iq4_levels(low_nibbles(words.z)),
        iq4_levels(low_nibbles(words.w)),
    ) * kv_half(block + IQ4_NL_D);
}
