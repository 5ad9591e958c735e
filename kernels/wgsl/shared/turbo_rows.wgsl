// The fork's turbo types: norm, signed Hadamard rotation of 128, nearest of a fixed codebook, corrected norm. What both of
// their kernels know of rows, whose last block is filled up with zeros. Import after `TURBO_BITS`, `TURBO_BYTES`, `level`,
// `cut`, `put` (one code of a block that begins at a bit) and `put_eight` are defined.

#import shared/rows
#import shared/exact
#import shared/eight

const TURBO_BLOCK: u32 = 128u;
// What rows are filled up to.
const PADDED: u32 = TURBO_BLOCK;
// No block's norm.
const TURNED_DOUBTED: u32 = 0x7fffu;

fn vector_length() -> u32 {
    return TURBO_BLOCK;
}

fn blocks() -> u32 {
    return (params.width + TURBO_BLOCK - 1u) / TURBO_BLOCK;
}

fn vectors() -> u32 {
    return params.rows * blocks();
}

fn given(vector: u32, element: u32) -> u32 {
    let column = vector % blocks() * TURBO_BLOCK + element;
    if column < params.width {
        return src[vector / blocks() * params.width + column];
    }
    return 0u;
}

fn vector_bytes(n: u32) -> u32 {
    return TURBO_BYTES;
}

fn norm_bit(n: u32) -> u32 {
    return 0u;
}

fn level_at(code: u32, n: u32) -> u32 {
    let half = 1u << (TURBO_BITS - 1u);
    return select(level(code - half), level(half - 1u - code) | EXACT_SIGN, code < half);
}

// Symmetric cuts and 0 between them; half-way goes up.
fn cut_at(i: u32, n: u32) -> u32 {
    let half = (1u << (TURBO_BITS - 1u)) - 1u;
    return select(select(0u, cut(i - half - 1u), i > half), cut(half - 1u - i) | EXACT_SIGN, i < half);
}
