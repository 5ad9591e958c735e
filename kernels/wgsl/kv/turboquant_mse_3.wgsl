#import shared/record as kv
#import shared/bytes as kv
#import shared/inverse_root
#import shared/mirrored
#import table/lloyd_max_3 as lloyd_max_3

// TurboQuant (MSE), 3 bits, rotated: codes as a bit stream, then the norm.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let bit = element * 3u;
    let word = (kv_byte(record.codes + bit / 8u) | (kv_byte(record.codes + bit / 8u + 1u) << 8u)) >> (bit & 7u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 3u, 6u, 9u)) & vec4<u32>(7u);
    let dim = params.kv_side.head_dim;
    let root = inverse_root(dim);
    let at = record.codes + (dim * 3u + 7u) / 8u;
    let norm = unpack2x16float(kv_byte(at) | (kv_byte(at + 1u) << 8u)).x;
    return mirrored_levels(codes, 4u, lloyd_max_3_four(mirrored_places(codes, 4u))) * root * norm;
}
