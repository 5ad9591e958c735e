#import shared/record as kv
#import shared/bytes as kv

// Nibbles in the order of elements, then the vector's scale with the zero point in its low four bits. What is read is the
// turned vector.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let codes = (vec4<u32>(kv_bytes4(record.codes + element / 2u)) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
    let scale = kv_bytes4(record.codes + params.kv_side.head_dim / 2u);
    return (vec4<f32>(codes) - f32(scale & 15u)) * bitcast<f32>(scale & 0xfffffff0u);
}
