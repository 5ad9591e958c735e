// vLLM's int4 with a scale per token and head: the vector's signs are changed and it is turned by a Hadamard transform
// (without its 1/√d), then 16 levels between minimum and maximum: s = max((max − min)/15, 1e-6), the zero point ⌊−min/s⌉
// within 0..=15, codes ⌊x·(1/s) + zero⌉ half away from zero. Nibbles in the order of elements, then s with the zero point
// in its low four bits.
//
// One invocation takes `rows_per_unit` vectors one after the other, sixteen elements at a time in registers. All rounding of
// the transform's sums shows in the codes: a sum of two f32 is rounded alike on every device as long as it is neither
// subnormal nor infinite, and vectors that might come to such sums are turned on integers.

#import shared/rows
#import shared/grid
#import shared/exact_more
#import shared/order
#import shared/near
#import shared/stream
#import table/vllm_int4_signs

const MAX_COLUMNS: u32 = 128u;
// Elements whose codes leave together.
const RUN_OF_CODES: u32 = 32u;
// 1e-6.
const LEAST_SCALE: u32 = 0x358637bdu;
const HALF: u32 = 0x3f000000u;

// The turned vector, as bits: four elements each.
var<private> turned: array<vec4<u32>, MAX_COLUMNS>;

fn signed4(first: u32, i: u32) -> vec4<u32> {
    let signs = vec4<u32>(VLLM_INT4_SIGNS[i / 32u] >> (i % 32u));
    let bits = (signs << vec4<u32>(31u, 30u, 29u, 28u)) & vec4<u32>(EXACT_SIGN);
    let at = first + i;
    return vec4<u32>(src[at], src[at + 1u], src[at + 2u], src[at + 3u]) ^ bits;
}

// Whether sums of up to 512 such numbers, and of such sums, are good in plain f32: all of them are multiples of 2^-102.
fn sums_plainly(v: vec4<u32>) -> bool {
    let exponent = (v >> vec4<u32>(23u)) & vec4<u32>(0xffu);
    let middle = (exponent > vec4<u32>(47u)) & (exponent < vec4<u32>(240u));
    return all(middle | ((v << vec4<u32>(1u)) == vec4<u32>(0u)));
}

fn four_butterflies(v: vec4<f32>) -> vec4<f32> {
    let pairs = vec4<f32>(v.x + v.y, v.x - v.y, v.z + v.w, v.z - v.w);
    return vec4<f32>(pairs.xy + pairs.zw, pairs.xy - pairs.zw);
}

// Turns a vector in whole sixteens into `turned`; whether that was good.
fn turn_plainly(first: u32) -> bool {
    var good = params.width >= 16u;
    for (var i = 0u; i + 16u <= params.width; i += 16u) {
        let a = signed4(first, i);
        let b = signed4(first, i + 4u);
        let c = signed4(first, i + 8u);
        let d = signed4(first, i + 12u);
        good = good && sums_plainly(a) && sums_plainly(b) && sums_plainly(c) && sums_plainly(d);
        let m0 = four_butterflies(bitcast<vec4<f32>>(a));
        let m1 = four_butterflies(bitcast<vec4<f32>>(b));
        let m2 = four_butterflies(bitcast<vec4<f32>>(c));
        let m3 = four_butterflies(bitcast<vec4<f32>>(d));
        let p0 = m0 + m1;
        let p1 = m0 - m1;
        let p2 = m2 + m3;
        let p3 = m2 - m3;
        turned[i / 4u] = bitcast<vec4<u32>>(p0 + p2);
        turned[i / 4u + 1u] = bitcast<vec4<u32>>(p1 + p3);
        turned[i / 4u + 2u] = bitcast<vec4<u32>>(p0 - p2);
        turned[i / 4u + 3u] = bitcast<vec4<u32>>(p1 - p3);
    }
    let columns = params.width / 4u;
    for (var half = 4u; half < columns; half *= 2u) {
        for (var pair = 0u; pair < columns / 2u; pair++) {
            let low = 2u * pair - (pair & (half - 1u));
            let a = bitcast<vec4<f32>>(turned[low]);
            let b = bitcast<vec4<f32>>(turned[low + half]);
            turned[low] = bitcast<vec4<u32>>(a + b);
            turned[low + half] = bitcast<vec4<u32>>(a - b);
        }
    }
    return good;
}

fn range_plainly() -> Range {
    var low = bitcast<vec4<f32>>(turned[0]);
    var high = low;
    for (var i = 1u; i < params.width / 4u; i++) {
        let column = bitcast<vec4<f32>>(turned[i]);
        low = min(low, column);
        high = max(high, column);
    }
    let least = min(min(low.x, low.y), min(low.z, low.w));
    let most = max(max(high.x, high.y), max(high.z, high.w));
    return Range(bitcast<u32>(least), bitcast<u32>(most));
}

fn element(i: u32) -> u32 {
    return turned[i >> 2u][i & 3u];
}

// The same on integers, at any width.
fn turn_exactly(first: u32) -> Range {
    let width = params.width;
    for (var i = 0u; i < width; i++) {
        let sign = (VLLM_INT4_SIGNS[i / 32u] >> (i % 32u)) << 31u;
        turned[i >> 2u][i & 3u] = src[first + i] ^ sign;
    }
    for (var half = 1u; half < width; half *= 2u) {
        for (var pair = 0u; pair < width / 2u; pair++) {
            let low = 2u * pair - (pair & (half - 1u));
            let high = low + half;
            let a = element(low);
            let b = element(high);
            turned[low >> 2u][low & 3u] = exact_add(a, b);
            turned[high >> 2u][high & 3u] = exact_sub(a, b);
        }
    }
    var range = RANGE_EMPTY;
    for (var i = 0u; i < width; i++) {
        range = range_with(range, element(i));
    }
    return range;
}

// Half of the number's sign is added, and the fraction cut off: 0..=15 of it. NaN is 0.
fn half_away_15(x: u32) -> u32 {
    let raised = exact_add(x, HALF | (x & EXACT_SIGN));
    if (raised & EXACT_SIGN) != 0u || raised > EXACT_INF {
        return 0u;
    }
    return select(min(exact_low_byte(raised), 15u), 15u, raised >= 0x41800000u);
}

fn exact_code(x: u32, inverse: u32, zero: u32) -> u32 {
    return half_away_15(exact_add(exact_mul(x, inverse), bitcast<u32>(f32(zero))));
}

fn code(x: u32, inverse: u32, zero: u32, plain: bool) -> u32 {
    let raised = bitcast<f32>(x) * bitcast<f32>(inverse) + f32(zero) + 0.5f;
    let whole = floor(raised);
    return select(u32(clamp(whole, 0.0f, 15.0f)), UNSURE, !plain || near_edge(raised, whole));
}

// The codes of elements from one on.
fn codes_put(first: u32, count: u32, inverse: u32, zero: u32, plain: bool) {
    var words: array<u32, RUN_OF_CODES / 8u>;
    var unsure = 0u;
    for (var i = 0u; i < count; i++) {
        let found = code(element(first + i), inverse, zero, plain);
        words[i / 8u] |= (found & 15u) << (i % 8u * 4u);
        unsure |= (found >> 31u) << i;
    }
    for (; unsure != 0u; unsure &= unsure - 1u) {
        let i = firstTrailingBit(unsure);
        words[i / 8u] |= exact_code(element(first + i), inverse, zero) << (i % 8u * 4u);
    }
    for (var i = 0u; i < count; i += 4u) {
        stream_put((words[i / 8u] >> (i % 8u * 4u)) & 0xffffu, 4u * min(4u, count - i));
    }
}

fn vector(first: u32) {
    let good = turn_plainly(first);
    var range = range_plainly();
    // A loop: a driver that works out both sides of a branch leaves it alone.
    for (var again = !good; again; again = false) {
        range = turn_exactly(first);
    }
    let step = exact_div(exact_sub(range.high, range.low), bitcast<u32>(15.0f));
    // A step that is no number counts as the least.
    let scale = select(LEAST_SCALE, step, step <= EXACT_INF && step >= LEAST_SCALE);
    let zero = half_away_15(exact_div(range.low ^ EXACT_SIGN, scale));
    let inverse = exact_div(bitcast<u32>(1.0f), scale);
    let plain = near_middle(scale);
    for (var i = 0u; i < params.width; i += RUN_OF_CODES) {
        codes_put(i, min(RUN_OF_CODES, params.width - i), inverse, zero, plain);
    }
    let tail = (scale & 0xfffffff0u) | zero;
    stream_put(tail & 0xffffu, 16u);
    stream_put(tail >> 16u, 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let first = grid_index(id, groups, 64u) * params.rows_per_unit;
    if first >= params.rows {
        return;
    }
    stream_begin(first * params.row_bytes);
    for (var row = first; row < min(first + params.rows_per_unit, params.rows); row++) {
        vector(row * params.width);
    }
    stream_end();
}
