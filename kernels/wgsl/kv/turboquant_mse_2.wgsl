#import shared/record as kv
#import shared/bytes as kv
#import shared/inverse_root
#import table/lloyd_max_2 as lloyd_max_2

fn kv_level(code: u32, root: f32) -> f32 {
    let half = 2u;
    let level = bitcast<f32>(lloyd_max_2(select(code - half, half - 1u - code, code < half))) * root;
    return select(level, -level, code < half);
}

// TurboQuant (MSE), 2 bits, rotated: codes as a bit stream, then the norm.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let word = kv_byte(record.codes + element / 4u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 2u, 4u, 6u)) & vec4<u32>(3u);
    let dim = params.kv_side.head_dim;
    let root = inverse_root(dim);
    let at = record.codes + (dim * 2u + 7u) / 8u;
    let norm = unpack2x16float(kv_byte(at) | (kv_byte(at + 1u) << 8u)).x;
    return vec4<f32>(kv_level(codes.x, root), kv_level(codes.y, root), kv_level(codes.z, root), kv_level(codes.w, root)) * norm;
}
