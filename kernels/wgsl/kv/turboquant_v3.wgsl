#import shared/record as kv
#import shared/bytes as kv
#import shared/no_factors as kv
#import shared/bits

// Scale and minimum, behind the codes, at any byte.
fn kv_scale_and_minimum(record: Record) -> vec2<f32> {
    return unpack2x16float(kv_bytes4(record.codes + (params.kv_side.head_dim * 3u + 7u) / 8u));
}

// Values of vLLM's TurboQuant at 3 bits: codes as a bit stream, then scale and minimum.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let scale = kv_scale_and_minimum(record);
    return vec4<f32>(three_bits(kv_two_bytes(record.codes + element * 3u / 8u) >> ((element * 3u) & 7u))) * scale.x + scale.y;
}

fn kv_load16(record: Record, element: u32) -> mat4x4<f32> {
    let scale = kv_scale_and_minimum(record);
    let first = kv_bytes4(record.codes + element * 3u / 8u);
    let last = kv_two_bytes(record.codes + element * 3u / 8u + 4u);
    return mat4x4<f32>(
        vec4<f32>(three_bits(first)) * scale.x + scale.y,
        vec4<f32>(three_bits(first >> 12u)) * scale.x + scale.y,
        vec4<f32>(three_bits((first >> 24u) | (last << 8u))) * scale.x + scale.y,
        vec4<f32>(three_bits(last >> 4u)) * scale.x + scale.y,
    );
}
