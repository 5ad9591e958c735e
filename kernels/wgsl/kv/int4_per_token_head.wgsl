#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/bits

// Nibbles in the order of elements, then the vector's scale with the zero point in its low four bits. What is read is the
// turned vector.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let scale = kv_bytes4(record.codes + params.kv_side.head_dim / 2u);
    let codes = nibbles(kv_bytes4(record.codes + element / 2u));
    return (vec4<f32>(codes) - f32(scale & 15u)) * bitcast<f32>(scale & 0xfffffff0u);
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let scale = kv_bytes4(record.codes + params.kv_side.head_dim / 2u);
    let zero = f32(scale & 15u);
    let first = kv_bytes4(record.codes + element / 2u);
    let second = kv_bytes4(record.codes + element / 2u + 4u);
    return mat4x4<f32>(
        vec4<f32>(nibbles(first)) - zero,
        vec4<f32>(nibbles(first >> 16u)) - zero,
        vec4<f32>(nibbles(second)) - zero,
        vec4<f32>(nibbles(second >> 16u)) - zero,
    ) * bitcast<f32>(scale & 0xfffffff0u);
}
