// One vector in workgroup memory, all lanes on it: its norm, the Hadamard transforms, the nearest level of a codebook. Imported
// as `alone/shared/turn` it is one invocation's.
//
// Every step exists in plain f32 and on integers, rounded as the reference rounds. Plain f32 comes first: it is off by
// less than `turn_doubt` says, and a code that stays the same that far to both sides is certain, as is an f16 norm. One
// vector in twenty is done again on integers. Not a step of it lets another lane's sum depend on the device: a sum over
// the vector is one lane's work then, element after element.

#import shared/exact
#import shared/root
#import shared/doubt
#import shared/inverse_root
#import table/turbo_signs_before as turbo_signs_before
#import table/turbo_signs_after as turbo_signs_after

const TURN_LANES: u32 = 64u;
const TURN_MOST: u32 = 512u;

// The vector as given and what becomes of it, as bits; its codes.
var<workgroup> turn_given: array<u32, TURN_MOST>;
var<workgroup> turn_bits: array<u32, TURN_MOST>;
var<workgroup> turn_codes: array<u32, TURN_MOST>;
// Where the codebook cuts: a code is the number of cuts at or below the coordinate's place in `exact_order`.
var<workgroup> turn_cuts: array<i32, 255>;
var<workgroup> turn_lanes: array<f32, TURN_LANES>;
var<workgroup> turn_word: u32;
var<workgroup> turn_doubts: atomic<u32>;

fn turn_mul(x: u32, y: u32, exact: bool) -> u32 {
    if exact {
        return exact_mul(x, y);
    }
    return bitcast<u32>(bitcast<f32>(x) * bitcast<f32>(y));
}

fn turn_div(x: u32, y: u32, exact: bool) -> u32 {
    if exact {
        return exact_div(x, y);
    }
    return bitcast<u32>(bitcast<f32>(x) / bitcast<f32>(y));
}

fn turn_add(x: u32, y: u32, exact: bool) -> u32 {
    if exact {
        return exact_add(x, y);
    }
    return bitcast<u32>(bitcast<f32>(x) + bitcast<f32>(y));
}

// √Σx² of `turn_bits`, summed in element order. On integers the squares take the vector's place.
fn turn_norm(lane: u32, n: u32, exact: bool) -> u32 {
    if exact {
        for (var i = lane; i < n; i += TURN_LANES) {
            turn_bits[i] = exact_mul(turn_bits[i], turn_bits[i]);
        }
        workgroupBarrier();
        if lane == 0u {
            var sum = 0u;
            for (var i = 0u; i < n; i++) {
                sum = exact_add(sum, turn_bits[i]);
            }
            turn_word = exact_sqrt(sum);
        }
        workgroupBarrier();
        return workgroupUniformLoad(&turn_word);
    }
    var sum = 0.0f;
    for (var i = lane; i < n; i += TURN_LANES) {
        let x = bitcast<f32>(turn_bits[i]);
        sum += x * x;
    }
    turn_lanes[lane] = sum;
    workgroupBarrier();
    for (var step = TURN_LANES / 2u; step > 0u; step /= 2u) {
        if lane < step {
            turn_lanes[lane] += turn_lanes[lane + step];
        }
        workgroupBarrier();
    }
    if lane == 0u {
        turn_word = bitcast<u32>(sqrt(turn_lanes[0]));
    }
    workgroupBarrier();
    return workgroupUniformLoad(&turn_word);
}

// Negates the elements whose bit is set, 128 over and over; each lane its own, no barrier.
fn turn_negate(lane: u32, n: u32, after: bool) {
    for (var i = lane; i < n; i += TURN_LANES) {
        let word = (i >> 5u) & 3u;
        var signs = turbo_signs_before(word);
        if after {
            signs = turbo_signs_after(word);
        }
        turn_bits[i] ^= ((signs >> (i & 31u)) & 1u) << 31u;
    }
}

// The Hadamard transform of `p` elements from `first` on, a power of two, without its 1/√p. Barriers on both sides.
fn turn_butterflies(lane: u32, first: u32, p: u32, exact: bool) {
    workgroupBarrier();
    for (var half = 1u; half < p; half *= 2u) {
        for (var i = lane; i < p / 2u; i += TURN_LANES) {
            let a = first + 2u * i - (i & (half - 1u));
            let x = turn_bits[a];
            let y = turn_bits[a + half];
            turn_bits[a] = turn_add(x, y, exact);
            turn_bits[a + half] = turn_add(x, y ^ EXACT_SIGN, exact);
        }
        workgroupBarrier();
    }
}

// The normalised transform: every element times 1/√p, then the butterflies.
fn turn_hadamard(lane: u32, first: u32, p: u32, exact: bool) {
    workgroupBarrier();
    let scale = bitcast<u32>(inverse_root(p));
    for (var i = lane; i < p; i += TURN_LANES) {
        turn_bits[first + i] = turn_mul(turn_bits[first + i], scale, exact);
    }
    turn_butterflies(lane, first, p, exact);
}

// `Rotation::default_for` n elements. A power of two: signs, then the transform. Otherwise two rounds of signs, the
// transform of as many first elements as there are powers of two, and that of the last.
fn turn_default(lane: u32, n: u32, exact: bool) {
    let p = turn_run(n);
    workgroupBarrier();
    turn_negate(lane, n, false);
    turn_hadamard(lane, 0u, p, exact);
    if p < n {
        turn_hadamard(lane, n - p, p, exact);
        turn_negate(lane, n, true);
        turn_hadamard(lane, 0u, p, exact);
        turn_hadamard(lane, n - p, p, exact);
    }
}

// The way back, in plain f32.
fn turn_default_back(lane: u32, n: u32) {
    let p = turn_run(n);
    if p < n {
        turn_hadamard(lane, n - p, p, false);
        turn_hadamard(lane, 0u, p, false);
        turn_negate(lane, n, true);
        turn_hadamard(lane, n - p, p, false);
    }
    turn_hadamard(lane, 0u, p, false);
    turn_negate(lane, n, false);
}

// The code of a coordinate among 2^bits levels.
fn turn_code(x: u32, bits: u32) -> u32 {
    let place = exact_order(x);
    var code = 0u;
    for (var step = 1u << (bits - 1u); step > 0u; step /= 2u) {
        code += select(0u, step, place >= turn_cuts[code + step - 1u]);
    }
    return code;
}

// Whether a coordinate of this code is so near a cut that it might have another.
fn turn_near(x: f32, off: f32, code: u32, bits: u32) -> bool {
    let above = code + 1u < 1u << bits && exact_order(bitcast<u32>(x + off)) >= turn_cuts[min(code, (1u << bits) - 2u)];
    let below = code > 0u && exact_order(bitcast<u32>(x - off)) < turn_cuts[max(code, 1u) - 1u];
    return above || below;
}

// Writes the codes of `turn_bits`, in plain f32, and says whether any lane doubts one, or `doubts` itself. The same for all
// lanes.
fn turn_quantize(lane: u32, n: u32, bits: u32, doubts: bool) -> bool {
    if lane == 0u {
        atomicStore(&turn_doubts, u32(doubts));
    }
    workgroupBarrier();
    for (var i = lane; i < n; i += TURN_LANES) {
        let x = turn_bits[i];
        let code = turn_code(x, bits);
        turn_codes[i] = code;
        let plain = bitcast<f32>(x);
        if turn_near(plain, turn_doubt(plain, n), code, bits) {
            atomicStore(&turn_doubts, 1u);
        }
    }
    workgroupBarrier();
    if lane == 0u {
        turn_word = atomicLoad(&turn_doubts);
    }
    workgroupBarrier();
    return workgroupUniformLoad(&turn_word) != 0u;
}
