// See `shared/turbo_rows`; in plain f32.

#import shared/turbo_rows

const TURNED_BITS: u32 = TURBO_BITS;
const TURNED_CORRECTED: bool = true;

fn signs_before(element: u32) -> u32 {
    return turbo_signs_before((element >> 5u) & 3u) >> (element & 31u);
}

fn signs_after(element: u32) -> u32 {
    return turbo_signs_after((element >> 5u) & 3u) >> (element & 31u);
}

fn factor(length: f32, n: u32) -> f32 {
    return inverse_root(n) / length;
}

#import shared/turned_plain
