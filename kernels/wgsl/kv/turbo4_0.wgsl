#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/bits
#import shared/mirrored
#import layout/turbo4_0
#import table/turbo_levels_4 as turbo4_level

fn kv_levels(codes: vec4<u32>) -> vec4<f32> {
    return mirrored_levels(codes, 8u, turbo4_level_four(mirrored_places(codes, 8u)));
}

// turbo4_0, rotated: even elements in the low nibbles.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let block = record.codes + element / TURBO4_0_ELEMENTS * TURBO4_0_BYTES;
    let word = kv_bytes2(block + TURBO4_0_QS + element % TURBO4_0_ELEMENTS / 2u);
    return kv_levels(nibbles(word)) * kv_half(block);
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let block = record.codes + element / TURBO4_0_ELEMENTS * TURBO4_0_BYTES;
    let at = block + TURBO4_0_QS + element % TURBO4_0_ELEMENTS / 2u;
    let first = kv_bytes4(at);
    let second = kv_bytes4(at + 4u);
    return mat4x4<f32>(
        kv_levels(nibbles(first)),
        kv_levels(nibbles(first >> 16u)),
        kv_levels(nibbles(second)),
        kv_levels(nibbles(second >> 16u)),
    ) * kv_half(block);
}
