#import shared/record as kv
#import shared/bytes as kv

// Values of vLLM's TurboQuant at 3 bits: codes as a bit stream, then scale and minimum.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    let bit = element * 3u;
    let word = (kv_byte(record.codes + bit / 8u) | (kv_byte(record.codes + bit / 8u + 1u) << 8u)) >> (bit & 7u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 3u, 6u, 9u)) & vec4<u32>(7u);
    let at = record.codes + (params.kv_side.head_dim * 3u + 7u) / 8u;
    let scale = unpack2x16float(kv_byte(at) | (kv_byte(at + 1u) << 8u)).x;
    let lowest = unpack2x16float(kv_byte(at + 2u) | (kv_byte(at + 3u) << 8u)).x;
    return vec4<f32>(codes) * scale + lowest;
}
