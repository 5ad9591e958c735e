// Vectors as one TurboQuant record each: codes of a symmetric codebook as a little-endian bit stream, then the vector's
// norm in f16. What both kernels know of them. Import after these are defined: `BOOK_BITS`; `book_level` (the positive half
// of the levels, for a vector of n elements, as bits), `BOOK_UP` (whether half-way points go to the upper level), `BOOK_SIGNED`
// (whether elements are negated before the transform), `BOOK_ADDED` (what is added to a norm before it divides), `direction`
// (an element over the norm) and `rotate`.

#import shared/rows
#import shared/exact
#import shared/eight

// No vector's norm.
const TURNED_DOUBTED: u32 = 0x7fffu;

fn vector_length() -> u32 {
    return params.width;
}

fn vectors() -> u32 {
    return params.rows;
}

fn given(vector: u32, element: u32) -> u32 {
    return src[vector * params.width + element];
}

fn vector_bytes(n: u32) -> u32 {
    return n * BOOK_BITS / 8u + 2u;
}

fn norm_bit(n: u32) -> u32 {
    return n * BOOK_BITS;
}

fn level_at(code: u32, n: u32) -> u32 {
    let half = 1u << (BOOK_BITS - 1u);
    return select(book_level(code - half, n), book_level(half - 1u - code, n) | EXACT_SIGN, code < half);
}

// Half-way between two levels; a half is exact.
fn cut_at(i: u32, n: u32) -> u32 {
    return exact_mul(exact_add(level_at(i, n), level_at(i + 1u, n)), bitcast<u32>(0.5f));
}

fn put(bit: u32, i: u32, code: u32) {
    staged_put(bit + i * BOOK_BITS, code, BOOK_BITS);
}
