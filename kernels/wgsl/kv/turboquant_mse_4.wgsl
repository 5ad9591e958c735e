#import shared/record as kv
#import shared/bytes as kv
#import shared/inverse_root
#import shared/mirrored
#import table/lloyd_max_4 as lloyd_max_4

// TurboQuant (MSE), 4 bits, rotated: codes as a bit stream, then the norm.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let word = kv_byte(record.codes + element / 2u) | (kv_byte(record.codes + element / 2u + 1u) << 8u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
    let dim = params.kv_side.head_dim;
    let root = inverse_root(dim);
    let at = record.codes + (dim * 4u + 7u) / 8u;
    let norm = unpack2x16float(kv_byte(at) | (kv_byte(at + 1u) << 8u)).x;
    return mirrored_levels(codes, 8u, lloyd_max_4_four(mirrored_places(codes, 8u))) * root * norm;
}
