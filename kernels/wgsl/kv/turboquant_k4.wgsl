#import shared/record_in_rows as kv
#import shared/bytes as kv
#import shared/mirrored
#import table/vllm_levels_4_at_64 as vllm_even_level_4
#import table/vllm_levels_4_at_128 as vllm_odd_level_4
#import shared/sixteen as kv
#import shared/one_by_one as kv

fn kv_levels(codes_at: u32, element: u32) -> vec4<f32> {
    let word = kv_byte(codes_at + element / 2u) | (kv_byte(codes_at + element / 2u + 1u) << 8u);
    let codes = (vec4<u32>(word) >> vec4<u32>(0u, 4u, 8u, 12u)) & vec4<u32>(15u);
    let places = mirrored_places(codes, 8u);
    let exponent = firstTrailingBit(params.kv_side.head_dim);
    let odd = (exponent & 1u) == 1u;
    // √(width solved for / head_dim) is a power of two.
    let power = (i32(select(6u, 7u, odd)) - i32(exponent)) / 2;
    let bits = select(vllm_even_level_4_four(places), vllm_odd_level_4_four(places), odd);
    return mirrored_levels(codes, 8u, bits) * bitcast<f32>(u32(127 + power) << 23u);
}

// Elements that a round of `kv_record` reads.
const kv_RECORD_STEP: u32 = 4u;

// The norm over the length of the decoded levels, which is the same for all elements.
const kv_FACTORS: u32 = 1u;
var<private> kv_factors: array<f32, kv_FACTORS>;

fn kv_record_measured(at: Place, head: u32) -> Record {
    return kv_record_in_rows(at, head);
}

fn kv_record(at: Place, head: u32) -> Record {
    let record = kv_record_in_rows(at, head);
    let dim = params.kv_side.head_dim;
    var square = 0.0f;
    for (var element = 0u; element < dim; element += kv_RECORD_STEP) {
        let levels = kv_levels(record.codes, element);
        square += dot(levels, levels);
    }
    let norm = unpack2x16float(kv_two_bytes(record.codes + (dim * 4u + 7u) / 8u)).x;
    kv_factors[0] = norm * inverseSqrt(square + 1e-16f);
    return record;
}

// Keys of vLLM's TurboQuant at 4 bits, rotated.
fn kv_load4(record: Record, element: u32) -> vec4<f32> {
    return kv_levels(record.codes, element) * kv_factors[0];
}
