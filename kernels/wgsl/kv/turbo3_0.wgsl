#import shared/record as kv
#import shared/bytes as kv
#import shared/mirrored
#import layout/turbo3_0
#import table/turbo_levels_3 as turbo3_level

// turbo3_0, rotated: the low bits of four codes to a byte, the high bits of eight.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let block = record.codes + element / TURBO3_0_ELEMENTS * TURBO3_0_BYTES;
    let place = element % TURBO3_0_ELEMENTS;
    let low = vec4<u32>(kv_byte(block + TURBO3_0_QS + place / 4u)) >> vec4<u32>(0u, 2u, 4u, 6u);
    let high = vec4<u32>(kv_byte(block + TURBO3_0_SIGNS + place / 8u) >> (place & 4u)) >> vec4<u32>(0u, 1u, 2u, 3u);
    let codes = (low & vec4<u32>(3u)) | ((high & vec4<u32>(1u)) << vec4<u32>(2u));
    return mirrored_levels(codes, 4u, turbo3_level_four(mirrored_places(codes, 4u))) * kv_half(block);
}
