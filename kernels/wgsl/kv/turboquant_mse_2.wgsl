#import shared/record as kv
#import shared/bytes as kv
#import shared/inverse_root
#import shared/mirrored
#import table/lloyd_max_2 as lloyd_max_2

// TurboQuant (MSE), 2 bits, rotated: codes as a bit stream, then the norm.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let word = kv_byte(record.codes + element / 4u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u);
    let dim = params.kv_side.head_dim;
    let root = inverse_root(dim);
    let at = record.codes + (dim * 2u + 7u) / 8u;
    let norm = unpack2x16float(kv_byte(at) | (kv_byte(at + 1u) << 8u)).x;
    return mirrored_levels(codes, 2u, lloyd_max_2_four(mirrored_places(codes, 2u))) * root * norm;
}
