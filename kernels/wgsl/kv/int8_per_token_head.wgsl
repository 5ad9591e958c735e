#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/bits

// int8, then the vector's scale.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let word = kv_bytes4(record.codes + element);
    return signed_bytes(word) * bitcast<f32>(kv_bytes4(record.codes + params.kv_side.head_dim));
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let words = kv_bytes16(record.codes + element);
    return mat4x4<f32>(signed_bytes(words.x), signed_bytes(words.y), signed_bytes(words.z), signed_bytes(words.w))
        * bitcast<f32>(kv_bytes4(record.codes + params.kv_side.head_dim));
}
