#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/one_by_one as kv
#import shared/bits
#import shared/inverse_root
#import shared/mirrored
#import table/lloyd_max_3 as lloyd_max_3

fn kv_levels(word: u32) -> vec4<f32> {
    let codes = three_bits(word);
    return mirrored_levels(codes, 4u, lloyd_max_3_four(mirrored_places(codes, 4u))) * inverse_root(params.kv_side.head_dim);
}

// The norm behind the codes, at any byte.
fn kv_norm(record: Record) -> f32 {
    return unpack2x16float(kv_two_bytes(record.codes + (params.kv_side.head_dim * 3u + 7u) / 8u)).x;
}

// TurboQuant (MSE), 3 bits, rotated: codes as a bit stream, then the norm.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    return kv_levels(kv_two_bytes(record.codes + element * 3u / 8u) >> ((element * 3u) & 7u)) * kv_norm(record);
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let first = kv_bytes4(record.codes + element * 3u / 8u);
    let last = kv_two_bytes(record.codes + element * 3u / 8u + 4u);
    return mat4x4<f32>(
        kv_levels(first),
        kv_levels(first >> 12u),
        kv_levels((first >> 24u) | (last << 8u)),
        kv_levels(last >> 4u),
    ) * kv_norm(record);
}
