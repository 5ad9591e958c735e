// vLLM's formats with one f32 scale per token and head: a vector's codes, then its scale.

#import shared/exact_more

// 1e-6: a vector of zeros has this scale.
const LEAST_SCALE: u32 = 0x358637bdu;

fn vector_amax(first: u32) -> u32 {
    var amax = 0u;
    for (var i = first; i < first + params.width; i++) {
        amax = max(amax, src[i] & ~EXACT_SIGN);
    }
    return amax;
}

// amax/largest, no less than the least scale. Positive, so the order of the bits is that of the numbers.
fn vector_scale(amax: u32, largest: f32) -> u32 {
    return max(exact_div(amax, bitcast<u32>(largest)), LEAST_SCALE);
}
