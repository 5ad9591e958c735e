#import shared/record as kv
#import shared/bytes as kv
#import shared/scale as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/fp8

// FP8 E4M3: a byte per element, its scale beside the cache.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    return fp8_e4m3_values(kv_bytes4(record.codes + record.first + element)) * kv_scale(record.head);
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let words = kv_bytes16(record.codes + record.first + element);
    return mat4x4<f32>(
        fp8_e4m3_values(words.x),
        fp8_e4m3_values(words.y),
        fp8_e4m3_values(words.z),
        fp8_e4m3_values(words.w),
    ) * kv_scale(record.head);
}
