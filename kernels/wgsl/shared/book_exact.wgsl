// See `shared/book_rows`; on integers, where plain f32 was not certain.

#import shared/book_rows
#import shared/turned_codes

fn again(vector: u32, lane: u32, bit: u32) {
    let n = params.width;
    workgroupBarrier();
    for (var i = lane; i < n; i += TURN_LANES) {
        turn_given[i] = given(vector, i);
    }
    workgroupBarrier();
    let norm = turned_exactly(lane, n, BOOK_BITS);
    for (var i = lane; i < n; i += TURN_LANES) {
        put(bit, i, turn_codes[i]);
    }
    if lane == 0u {
        staged_put(bit + norm_bit(n), half_f16(norm), 16u);
    }
}

fn prepare(lane: u32, n: u32) {
    for (var i = lane; i + 1u < 1u << BOOK_BITS; i += TURN_LANES) {
        turn_cuts[i] = exact_order(cut_at(i, n)) + i32(!BOOK_UP);
    }
}

#import shared/turned_again
