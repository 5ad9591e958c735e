// The fork's turbo types: norm, signed Hadamard rotation of 128, nearest of a fixed codebook, corrected norm. Import after
// `TURBO_BITS`, `TURBO_BYTES`, `level`, `cut` and `put` (one code of a block that begins at a bit) are defined. One
// workgroup takes as many vectors as end on a word.

#import shared/rows
#import shared/turn
#import shared/staging

// Lanes that one unit of rows takes.
const LANES: u32 = 64u;
const TURBO_BLOCK: u32 = 128u;
// f32(1/√128).
const TURBO_SCALE: u32 = 0x3db504f3u;
// Norms up to 1e-10 count as zero.
const TURBO_LEAST: u32 = 0x2edbe6ffu;

fn turbo_level(code: u32) -> u32 {
    let half = 1u << (TURBO_BITS - 1u);
    return select(level(code - half), level(half - 1u - code) | EXACT_SIGN, code < half);
}

fn turbo_more(x: u32) -> bool {
    return exact_order(x) > exact_order(TURBO_LEAST);
}

// The block in `turn_given`, into the staging area from a bit on.
fn turbo_block(lane: u32, bit: u32) {
    var norm = 0u;
    for (var attempt = 0u; attempt < 2u; attempt++) {
        let exact = attempt == 1u;
        for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
            turn_bits[i] = turn_given[i];
        }
        workgroupBarrier();
        let length = turn_norm(lane, TURBO_BLOCK, exact);
        var inverse = 0u;
        if turbo_more(length) {
            inverse = turn_div(bitcast<u32>(1.0f), length, exact);
        }
        for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
            turn_bits[i] = turn_mul(turn_given[i], inverse, exact);
        }
        turn_negate(lane, TURBO_BLOCK, false);
        turn_butterflies(lane, 0u, TURBO_BLOCK, exact);
        for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
            turn_bits[i] = turn_mul(turn_bits[i], TURBO_SCALE, exact);
        }
        turn_negate(lane, TURBO_BLOCK, true);
        if turn_quantize(lane, TURBO_BLOCK, TURBO_BITS, exact, !turn_plain(bitcast<f32>(length))) {
            continue;
        }
        for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
            turn_bits[i] = turbo_level(turn_codes[i]);
        }
        workgroupBarrier();
        norm = turn_div(length, turn_norm(lane, TURBO_BLOCK, exact), exact);
        // Two norms and a quotient.
        if exact || !turn_half_in_doubt(bitcast<f32>(norm), f32(2u * TURBO_BLOCK + 96u)) {
            break;
        }
    }
    for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
        put(bit, i, turn_codes[i]);
    }
    if lane == 0u {
        staged_put(bit, half_f16(norm), 16u);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let unit = id.y * groups.x + id.x;
    let first = unit * params.rows_per_unit;
    if first >= params.rows {
        return;
    }
    let count = min(params.rows_per_unit, params.rows - first);
    let blocks = (params.width + TURBO_BLOCK - 1u) / TURBO_BLOCK;
    let bytes = count * blocks * TURBO_BYTES;
    for (var i = lane; i + 1u < 1u << TURBO_BITS; i += TURN_LANES) {
        // Symmetric cuts and 0 between them; half-way goes up.
        let half = (1u << (TURBO_BITS - 1u)) - 1u;
        var place = 0u;
        if i < half {
            place = cut(half - 1u - i) | EXACT_SIGN;
        } else if i > half {
            place = cut(i - half - 1u);
        }
        turn_cuts[i] = exact_order(place);
    }
    staged_clear(lane, TURN_LANES, bytes);
    for (var block = 0u; block < count * blocks; block++) {
        let row = (first + block / blocks) * params.width;
        let column = block % blocks * TURBO_BLOCK;
        workgroupBarrier();
        for (var i = lane; i < TURBO_BLOCK; i += TURN_LANES) {
            // A last block is filled with zeros.
            var x = 0u;
            if column + i < params.width {
                x = src[row + column + i];
            }
            turn_given[i] = x;
        }
        workgroupBarrier();
        turbo_block(lane, block * TURBO_BYTES * 8u);
    }
    workgroupBarrier();
    staged_write(lane, TURN_LANES, unit * params.rows_per_unit * blocks * TURBO_BYTES / 4u, bytes);
}
