#import shared/record as kv
#import shared/bytes as kv
#import layout/turbo4_0
#import table/turbo_levels_4 as turbo4_level

fn kv_level(code: u32) -> f32 {
    let half = 8u;
    let level = bitcast<f32>(turbo4_level(select(code - half, half - 1u - code, code < half)));
    return select(level, -level, code < half);
}

// turbo4_0, rotated: even elements in the low nibbles.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let block = record.codes + element / TURBO4_0_ELEMENTS * TURBO4_0_BYTES;
    let word = kv_bytes2(block + TURBO4_0_QS + element % TURBO4_0_ELEMENTS / 2u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
    return vec4<f32>(kv_level(codes.x), kv_level(codes.y), kv_level(codes.z), kv_level(codes.w)) * kv_half(block);
}
