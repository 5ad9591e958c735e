#import shared/record_in_rows as kv
#import shared/bytes as kv
#import table/vllm_levels_3_at_64 as vllm_even_level_3
#import table/vllm_levels_3_at_128 as vllm_odd_level_3

fn kv_level(code: u32) -> f32 {
    let dim = params.kv_side.head_dim;
    let half = 4u;
    let i = select(code - half, half - 1u - code, code < half);
    let odd = (firstTrailingBit(dim) & 1u) == 1u;
    // √(width solved for / dim) is a power of two.
    let power = (i32(select(6u, 7u, odd)) - i32(firstTrailingBit(dim))) / 2;
    let scale = bitcast<f32>(u32(127 + power) << 23u);
    let level = bitcast<f32>(select(vllm_even_level_3(i), vllm_odd_level_3(i), odd)) * scale;
    return select(level, -level, code < half);
}

fn kv_levels(codes_at: u32, element: u32) -> vec4<f32> {
    let bit = element * 3u;
    let word = (kv_byte(codes_at + bit / 8u) | (kv_byte(codes_at + bit / 8u + 1u) << 8u)) >> (bit & 7u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 3u, 6u, 9u)) & vec4<u32>(7u);
    return vec4<f32>(kv_level(codes.x), kv_level(codes.y), kv_level(codes.z), kv_level(codes.w));
}

// The norm over the length of the decoded levels, which is the same for all elements, goes where scales begin.
fn kv_record(at: Place, head: u32) -> Record {
    var record = kv_record_in_rows(at, head);
    let dim = params.kv_side.head_dim;
    var square = 0.0f;
    for (var element = 0u; element < dim; element += 4u) {
        let levels = kv_levels(record.codes, element);
        square += dot(levels, levels);
    }
    let norm_at = record.codes + (dim * 3u + 7u) / 8u;
    let norm = unpack2x16float(kv_byte(norm_at) | (kv_byte(norm_at + 1u) << 8u)).x;
    record.scales = bitcast<u32>(norm * inverseSqrt(square + 1e-16f));
    return record;
}

// Keys of vLLM's TurboQuant at 3 bits, rotated.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    return kv_levels(record.codes, element) * bitcast<f32>(record.scales);
}
