#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/bits
#import shared/mirrored
#import layout/turbo3_0
#import table/turbo_levels_3 as turbo3_level

// Of the low bits of four codes and, in their low four bits, the high ones.
fn kv_levels(low: u32, high: u32) -> vec4<f32> {
    let third = (vec4<u32>(high) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u);
    let codes = two_bits(low) | (third << vec4<u32>(2u));
    return mirrored_levels(codes, 4u, turbo3_level_four(mirrored_places(codes, 4u)));
}

// turbo3_0, rotated: the low bits of four codes to a byte, the high bits of eight.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let block = record.codes + element / TURBO3_0_ELEMENTS * TURBO3_0_BYTES;
    let place = element % TURBO3_0_ELEMENTS;
    let high = kv_byte(block + TURBO3_0_SIGNS + place / 8u) >> (place & 4u);
    return kv_levels(kv_byte(block + TURBO3_0_QS + place / 4u), high) * kv_half(block);
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let block = record.codes + element / TURBO3_0_ELEMENTS * TURBO3_0_BYTES;
    let place = element % TURBO3_0_ELEMENTS;
    let low = kv_bytes4(block + TURBO3_0_QS + place / 4u);
    let high = kv_bytes2(block + TURBO3_0_SIGNS + place / 8u);
    return mat4x4<f32>(
        kv_levels(low, high),
        kv_levels(low >> 8u, high >> 4u),
        kv_levels(low >> 16u, high >> 8u),
        kv_levels(low >> 24u, high >> 12u),
    ) * kv_half(block);
}
