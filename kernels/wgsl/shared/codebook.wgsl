// Vectors as one TurboQuant record each: codes of a symmetric codebook as a little-endian bit stream, then the vector's
// norm in f16. Import after these are defined: `BOOK_BITS`; `book_level` (the positive half of the levels, for a vector
// of n elements, as bits), `BOOK_UP` (whether half-way points go to the upper level), `direction` (an element over the
// norm) and `rotate`. One workgroup takes as many vectors as end on a word.

#import shared/rows
#import shared/turned_codes
#import shared/staging

// Lanes that one unit of rows takes.
const LANES: u32 = 64u;

// The vector in `turn_given` as codes and f16 norm.
fn book_vector(lane: u32, n: u32, bit: u32) {
    let norm = turned_codes(lane, n, BOOK_BITS);
    for (var i = lane; i < n; i += TURN_LANES) {
        staged_put(bit + i * BOOK_BITS, turn_codes[i], BOOK_BITS);
    }
    if lane == 0u {
        staged_put(bit + (n * BOOK_BITS + 7u) / 8u * 8u, half_f16(norm), 16u);
    }
}

fn book_signed(i: u32, n: u32) -> u32 {
    let half = 1u << (BOOK_BITS - 1u);
    if i < half {
        return book_level(half - 1u - i, n) | EXACT_SIGN;
    }
    return book_level(i - half, n);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let unit = id.y * groups.x + id.x;
    let first = unit * params.rows_per_unit;
    if first >= params.rows {
        return;
    }
    let count = min(params.rows_per_unit, params.rows - first);
    let n = params.width;
    let row_bytes = (n * BOOK_BITS + 7u) / 8u + 2u;
    // Cuts lie half-way between two levels; a half is exact.
    for (var i = lane; i + 1u < 1u << BOOK_BITS; i += TURN_LANES) {
        let cut = exact_mul(exact_add(book_signed(i, n), book_signed(i + 1u, n)), bitcast<u32>(0.5f));
        turn_cuts[i] = exact_order(cut) + i32(!BOOK_UP);
    }
    staged_clear(lane, TURN_LANES, count * row_bytes);
    for (var row = 0u; row < count; row++) {
        workgroupBarrier();
        for (var i = lane; i < n; i += TURN_LANES) {
            turn_given[i] = src[(first + row) * n + i];
        }
        workgroupBarrier();
        book_vector(lane, n, row * row_bytes * 8u);
    }
    workgroupBarrier();
    staged_write(lane, TURN_LANES, unit * params.rows_per_unit * row_bytes / 4u, count * row_bytes);
}
