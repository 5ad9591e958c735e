// When plain f32 arithmetic is good enough. A device may round a product and a sum in its own way, but only in the last
// bits: a code in 0..=255 that comes out further than NEAR from where it would become its neighbour is certain. The few
// others, and blocks whose scale is near the ends of f32's range, are computed on integers (`shared/exact`).

// Far more than the error of a product and a sum below 256 (2^-15 at most), and met by one element in 2000.
const NEAR: f32 = 0.000244140625f;

// Whether nothing in a block with this greatest magnitude can overflow, or matter although it is flushed to zero.
fn near_middle(amax: u32) -> bool {
    let exponent = amax >> 23u;
    return exponent > 67u && exponent < 187u;
}

// Whether `value`, of which `whole` is the floor, might belong to the whole number below or above.
fn near_edge(value: f32, whole: f32) -> bool {
    return abs(value - whole - 0.5f) > 0.5f - NEAR;
}

// What stands for a code that is not certain; all of a block's are then found on integers in one loop, which a driver that
// works out both sides of branches walks once or twice, not for every element.
const UNSURE: u32 = 0x80000000u;
