// See `shared/book_rows`; in plain f32.

#import shared/book_rows

const TURNED_BITS: u32 = BOOK_BITS;
const TURNED_CORRECTED: bool = false;

fn signs_before(element: u32) -> u32 {
    return select(0u, turbo_signs_before((element >> 5u) & 3u) >> (element & 31u), BOOK_SIGNED);
}

fn signs_after(element: u32) -> u32 {
    return 0u;
}

fn factor(length: f32, n: u32) -> f32 {
    return inverse_root(n) / (length + BOOK_ADDED);
}

fn put_eight(bit: u32, i: u32, first: vec4<u32>, second: vec4<u32>) {
    staged_put(bit + i * BOOK_BITS, eight(first, second, BOOK_BITS), 8u * BOOK_BITS);
}

#import shared/turned_plain
