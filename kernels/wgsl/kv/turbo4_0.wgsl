#import shared/record as kv
#import shared/bytes as kv
#import shared/mirrored
#import layout/turbo4_0
#import table/turbo_levels_4 as turbo4_level

// turbo4_0, rotated: even elements in the low nibbles.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let block = record.codes + element / TURBO4_0_ELEMENTS * TURBO4_0_BYTES;
    let word = kv_bytes2(block + TURBO4_0_QS + element % TURBO4_0_ELEMENTS / 2u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
    return mirrored_levels(codes, 8u, turbo4_level_four(mirrored_places(codes, 8u))) * kv_half(block);
}
