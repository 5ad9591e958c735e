#import shared/record as kv
#import shared/bytes as kv
#import shared/scale as kv
#import shared/fp8

// FP8 E5M2: a byte per element, its scale beside the cache.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    return fp8_e5m2_values(kv_bytes4(record.codes + record.first + element)) * kv_scale(record.head);
}
