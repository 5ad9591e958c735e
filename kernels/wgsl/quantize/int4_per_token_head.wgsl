// vLLM's int4 with a scale per token and head: the vector's signs are changed and it is turned by a Hadamard transform
// (without its 1/√d), then 16 levels between minimum and maximum: s = max((max − min)/15, 1e-6), the zero point ⌊−min/s⌉
// within 0..=15, codes ⌊x·(1/s) + zero⌉ half away from zero. Nibbles in the order of elements, then s with the zero point
// in its low four bits.
//
// A workgroup takes `rows_per_unit` vectors one after the other. Sums of the transform are computed on integers, as all
// its rounding shows in the codes.

#import shared/rows
#import shared/grid
#import shared/exact_more
#import shared/order
#import shared/near
#import table/vllm_int4_signs

const LANES: u32 = 64u;
const MAX_HEAD_DIM: u32 = 512u;
// 1e-6.
const LEAST_SCALE: u32 = 0x358637bdu;
const HALF: u32 = 0x3f000000u;

var<workgroup> turned: array<u32, MAX_HEAD_DIM>;
var<workgroup> ranges: array<Range, LANES>;
// Of all the unit's vectors: several only where they are shorter than a word.
var<workgroup> codes: array<u32, MAX_HEAD_DIM>;
var<workgroup> scales: array<u32, 4>;

// Half of the number's sign is added, and the fraction cut off: 0..=15 of it. NaN is 0.
fn half_away_15(x: u32) -> u32 {
    let raised = exact_add(x, HALF | (x & EXACT_SIGN));
    if (raised & EXACT_SIGN) != 0u || raised > EXACT_INF {
        return 0u;
    }
    return select(min(exact_low_byte(raised), 15u), 15u, raised >= 0x41800000u);
}

fn code(x: u32, inverse: u32, zero: u32, plain: bool) -> u32 {
    let raised = bitcast<f32>(x) * bitcast<f32>(inverse) + f32(zero) + 0.5f;
    let whole = floor(raised);
    if !plain || near_edge(raised, whole) {
        return half_away_15(exact_add(exact_mul(x, inverse), bitcast<u32>(f32(zero))));
    }
    return u32(clamp(whole, 0.0f, 15.0f));
}

// The vector's codes and scale, by all invocations of the workgroup together.
fn vector(row: u32, place: u32, lane: u32) {
    let width = params.width;
    for (var i = lane; i < width; i += LANES) {
        let sign = (VLLM_INT4_SIGNS[i / 32u] >> (i % 32u)) << 31u;
        turned[i] = src[row * width + i] ^ sign;
    }
    workgroupBarrier();
    for (var half = 1u; half < width; half *= 2u) {
        for (var pair = lane; pair < width / 2u; pair += LANES) {
            let low = pair / half * half * 2u + pair % half;
            let a = turned[low];
            let b = turned[low + half];
            turned[low] = exact_add(a, b);
            turned[low + half] = exact_sub(a, b);
        }
        workgroupBarrier();
    }
    var range = RANGE_EMPTY;
    for (var i = lane; i < width; i += LANES) {
        range = range_with(range, turned[i]);
    }
    ranges[lane] = range;
    workgroupBarrier();
    if lane == 0u {
        for (var other = 1u; other < LANES; other++) {
            range.low = range_with(range, ranges[other].low).low;
            range.high = range_with(range, ranges[other].high).high;
        }
        let step = exact_div(exact_sub(range.high, range.low), bitcast<u32>(15.0f));
        // A step that is no number counts as the least.
        let scale = select(LEAST_SCALE, step, step <= EXACT_INF && step >= LEAST_SCALE);
        let zero = half_away_15(exact_div(range.low ^ EXACT_SIGN, scale));
        ranges[0] = Range(scale, zero);
        scales[place] = (scale & 0xfffffff0u) | zero;
    }
    workgroupBarrier();
    let scale = ranges[0].low;
    let zero = ranges[0].high;
    let inverse = exact_div(bitcast<u32>(1.0f), scale);
    let plain = near_middle(scale);
    for (var i = lane; i < width; i += LANES) {
        codes[place * width + i] = code(turned[i], inverse, zero, plain);
    }
    workgroupBarrier();
}

// Byte `at` of the workgroup's vectors.
fn byte_at(at: u32) -> u32 {
    let place = at / params.row_bytes;
    let inside = at % params.row_bytes;
    if inside < params.width / 2u {
        let first = place * params.width + inside * 2u;
        return codes[first] | (codes[first + 1u] << 4u);
    }
    return (scales[place] >> ((inside - params.width / 2u) * 8u)) & 0xffu;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (id.y * groups.x + id.x) * params.rows_per_unit;
    if first >= params.rows {
        return;
    }
    let rows = min(params.rows_per_unit, params.rows - first);
    for (var place = 0u; place < rows; place++) {
        vector(first + place, place, lane);
    }
    let bytes = rows * params.row_bytes;
    let begin = first * params.row_bytes / 4u;
    for (var word = lane; word * 4u < bytes; word += LANES) {
        var value = 0u;
        for (var i = 0u; i < min(4u, bytes - word * 4u); i++) {
            value |= byte_at(word * 4u + i) << (i * 8u);
        }
        dst[begin + word] = value;
    }
}
