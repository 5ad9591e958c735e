// See `shared/turbo_rows`; on integers, where plain f32 was not certain.

#import shared/turbo_rows
#import shared/turn

// f32(1/√128).
const TURBO_SCALE: u32 = 0x3db504f3u;
// Norms up to 1e-10 count as zero.
const TURBO_LEAST: u32 = 0x2edbe6ffu;

fn turbo_more(x: u32) -> bool {
    return exact_order(x) > exact_order(TURBO_LEAST);
}

// A block into the staging area from a bit on.
fn again(vector: u32, lane: u32, bit: u32) {
    workgroupBarrier();
    for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
        turn_given[i] = given(vector, i);
        turn_bits[i] = turn_given[i];
    }
    workgroupBarrier();
    let length = turn_norm(lane, TURBO_BLOCK, true);
    var inverse = 0u;
    if turbo_more(length) {
        inverse = exact_div(bitcast<u32>(1.0f), length);
    }
    for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
        turn_bits[i] = exact_mul(turn_given[i], inverse);
    }
    turn_negate(lane, TURBO_BLOCK, false);
    turn_butterflies(lane, 0u, TURBO_BLOCK, true);
    for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
        turn_bits[i] = exact_mul(turn_bits[i], TURBO_SCALE);
    }
    turn_negate(lane, TURBO_BLOCK, true);
    for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
        turn_codes[i] = turn_code(turn_bits[i], TURBO_BITS);
        put(bit, i, turn_codes[i]);
        turn_bits[i] = level_at(turn_codes[i], TURBO_BLOCK);
    }
    workgroupBarrier();
    let norm = exact_div(length, turn_norm(lane, TURBO_BLOCK, true));
    if lane == 0u {
        staged_put(bit, half_f16(norm), 16u);
    }
}

fn prepare(lane: u32, n: u32) {
    for (var i = lane; i + 1u < 1u << TURBO_BITS; i += TURN_LANES) {
        turn_cuts[i] = exact_order(cut_at(i, n));
    }
}

#import shared/turned_again
