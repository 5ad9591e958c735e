#import shared/record as kv
#import shared/bytes as kv
#import shared/mirrored
#import layout/turbo2_0
#import table/turbo_levels_2 as turbo2_level

// turbo2_0, rotated: four codes to a byte.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let block = record.codes + element / TURBO2_0_ELEMENTS * TURBO2_0_BYTES;
    let byte = kv_byte(block + TURBO2_0_QS + element % TURBO2_0_ELEMENTS / 4u);
    let codes = (vec4<u32>(byte) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u);
    return mirrored_levels(codes, 2u, turbo2_level_four(mirrored_places(codes, 2u))) * kv_half(block);
}
