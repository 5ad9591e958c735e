#import shared/record as kv
#import shared/bytes as kv
#import shared/iq4_levels
#import layout/iq4_nl

// iq4_nl: nibbles as in q4_0, each the place of a level.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / IQ4_NL_ELEMENTS * IQ4_NL_BYTES;
    let place = at % IQ4_NL_ELEMENTS;
    let word = kv_bytes4(block + IQ4_NL_QS + place % 16u) >> (place / 16u * 4u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    return vec4<f32>(iq4_level(codes.x), iq4_level(codes.y), iq4_level(codes.z), iq4_level(codes.w))
        * kv_half(block + IQ4_NL_D);
}
