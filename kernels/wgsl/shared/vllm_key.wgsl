// What `shared/codebook` asks for, as vLLM's TurboQuant keys have it. Import with `even_level` and `odd_level`, the halves
// of the codebooks solved at 64 and at 128 elements; other powers of two scale exactly with powers of four.

const BOOK_UP: bool = true;
const BOOK_SIGNED: bool = false;
const BOOK_ADDED: f32 = 1e-8f;

fn book_level(i: u32, n: u32) -> u32 {
    let odd = (firstTrailingBit(n) & 1u) == 1u;
    // √(width solved for / n) is a power of two.
    let power = (i32(select(6u, 7u, odd)) - i32(firstTrailingBit(n))) / 2;
    return exact_mul(select(even_level(i), odd_level(i), odd), u32(127 + power) << 23u);
}

fn direction(x: u32, norm: u32, exact: bool) -> u32 {
    return turn_div(x, turn_add(norm, bitcast<u32>(1e-8f), exact), exact);
}

fn rotate(lane: u32, n: u32, exact: bool) {
    turn_hadamard(lane, 0u, n, exact);
}
