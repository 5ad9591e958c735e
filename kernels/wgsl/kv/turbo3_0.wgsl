#import shared/record as kv
#import shared/bytes as kv
#import layout/turbo3_0
#import table/turbo_levels_3 as turbo3_level

fn kv_level(code: u32) -> f32 {
    let half = 4u;
    let level = bitcast<f32>(turbo3_level(select(code - half, half - 1u - code, code < half)));
    return select(level, -level, code < half);
}

// turbo3_0, rotated: the low bits of four codes to a byte, the high bits of eight.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let block = record.codes + element / TURBO3_0_ELEMENTS * TURBO3_0_BYTES;
    let place = element % TURBO3_0_ELEMENTS;
    let low = vec4<u32>(kv_byte(block + TURBO3_0_QS + place / 4u)) >> vec4<u32>(0u, 2u, 4u, 6u);
    let high = vec4<u32>(kv_byte(block + TURBO3_0_SIGNS + place / 8u) >> (place & 4u)) >> vec4<u32>(0u, 1u, 2u, 3u);
    let codes = (low & vec4<u32>(3u)) | ((high & vec4<u32>(1u)) << vec4<u32>(2u));
    return vec4<f32>(kv_level(codes.x), kv_level(codes.y), kv_level(codes.z), kv_level(codes.w)) * kv_half(block);
}
