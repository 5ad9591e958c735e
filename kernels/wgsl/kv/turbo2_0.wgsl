#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/bits
#import shared/mirrored
#import layout/turbo2_0
#import table/turbo_levels_2 as turbo2_level

fn kv_levels(codes: vec4<u32>) -> vec4<f32> {
    return mirrored_levels(codes, 2u, turbo2_level_four(mirrored_places(codes, 2u)));
}

// turbo2_0, rotated: four codes to a byte.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let block = record.codes + element / TURBO2_0_ELEMENTS * TURBO2_0_BYTES;
    return kv_levels(two_bits(kv_byte(block + TURBO2_0_QS + element % TURBO2_0_ELEMENTS / 4u))) * kv_half(block);
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let block = record.codes + element / TURBO2_0_ELEMENTS * TURBO2_0_BYTES;
    let word = kv_bytes4(block + TURBO2_0_QS + element % TURBO2_0_ELEMENTS / 4u);
    return mat4x4<f32>(
        kv_levels(two_bits(word)),
        kv_levels(two_bits(word >> 8u)),
        kv_levels(two_bits(word >> 16u)),
        kv_levels(two_bits(word >> 24u)),
    ) * kv_half(block);
}
