#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/fp8

// FP8 E4M3, then the vector's scale.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let codes = fp8_e4m3_values(kv_bytes4(record.codes + element));
    return codes * bitcast<f32>(kv_bytes4(record.codes + params.kv_side.head_dim));
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let words = kv_bytes16(record.codes + element);
    return mat4x4<f32>(
        fp8_e4m3_values(words.x),
        fp8_e4m3_values(words.y),
        fp8_e4m3_values(words.z),
        fp8_e4m3_values(words.w),
    ) * bitcast<f32>(kv_bytes4(record.codes + params.kv_side.head_dim));
}
