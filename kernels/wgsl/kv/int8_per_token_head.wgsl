#import shared/record as kv
#import shared/bytes as kv

// int8, then the vector's scale.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let word = kv_bytes4(record.codes + element);
    let codes = bitcast<vec4<i32>>(vec4<u32>(word) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
    return vec4<f32>(codes) * bitcast<f32>(kv_bytes4(record.codes + params.kv_side.head_dim));
}
