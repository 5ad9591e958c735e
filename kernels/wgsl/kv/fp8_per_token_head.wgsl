#import shared/record as kv
#import shared/bytes as kv
#import shared/fp8

// FP8 E4M3, then the vector's scale.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let codes = fp8_e4m3_values(kv_bytes4(record.codes + element));
    return codes * bitcast<f32>(kv_bytes4(record.codes + params.kv_side.head_dim));
}
