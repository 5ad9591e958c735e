// What `shared/codebook` asks for, as arXiv 2504.19874 has it. Import with `normal_level`, the half of the codebook of
// N(0, 1).

#import shared/direction

const BOOK_UP: bool = false;
const BOOK_SIGNED: bool = true;
const BOOK_ADDED: f32 = 0.0f;

fn book_level(i: u32, n: u32) -> u32 {
    return exact_mul(normal_level(i), bitcast<u32>(inverse_root(n)));
}
