#import shared/record as kv
#import shared/bytes as kv
#import shared/e2m1
#import layout/mxfp4

// mxfp4: an exponent, then E2M1 codes in nibbles, the first half of the block in the low ones. Values are doubled and the
// scale halved, so that the smallest scale is a number too.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let at = record.first + element;
    let block = record.codes + at / MXFP4_ELEMENTS * MXFP4_BYTES;
    let place = at % MXFP4_ELEMENTS;
    let word = kv_bytes4(block + MXFP4_QS + place % 16u) >> (place / 16u * 4u);
    let codes = (word & 15u) | ((word >> 4u) & 0xf0u) | ((word >> 8u) & 0xf00u) | ((word >> 12u) & 0xf000u);
    let e = kv_byte(block + MXFP4_E);
    return e2m1_values(codes) * 2.0f * bitcast<f32>(select((e - 1u) << 23u, 0x00200000u << e, e < 2u));
}
