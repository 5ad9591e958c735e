// KIVI's groups of 32, every step rounded to f16 as torch does on half tensors. Import after `KIVI_BITS` is defined.

#import shared/half
#import shared/exact
#import shared/root

const KIVI_GROUP: u32 = 32u;
const KIVI_TOP: u32 = (1u << KIVI_BITS) - 1u;

// A group's scale and minimum as f16, and what its codes need to know.
struct Kivi {
    scale: u32,
    lowest: u32,
    // The same two as f32 bits.
    scale_value: u32,
    lowest_value: u32,
    plain: bool,
}

// An f16 as f32 bits.
fn kivi_value(half: u32) -> u32 {
    let sign = (half & 0x8000u) << 16u;
    let exponent = (half >> 10u) & 31u;
    let fraction = half & 0x3ffu;
    if exponent == 0u {
        // Units of 2^-24; converting ten bits is exact, and so is the product, which is no subnormal.
        return sign | select(bitcast<u32>(f32(fraction) * 5.9604645e-8f), 0u, fraction == 0u);
    }
    return sign | select((exponent + 112u) << 23u, EXACT_INF, exponent == 31u) | (fraction << 13u);
}

// To f16 and back.
fn kivi_half(x: u32) -> u32 {
    return kivi_value(half_f16(x));
}

// From the least and the greatest of the group's halves, as f32 bits.
fn kivi_group(lowest: u32, highest: u32) -> Kivi {
    let range = kivi_half(exact_add(highest, lowest ^ EXACT_SIGN));
    let scale = half_f16(exact_div(range, bitcast<u32>(f32(KIVI_TOP))));
    // A scale of full precision, and no infinity about: then plain f32 is off by no more than the two f16 roundings.
    let plain = scale >= 0x400u && range < EXACT_INF && (highest & ~EXACT_SIGN) < EXACT_INF && (lowest & ~EXACT_SIGN) < EXACT_INF;
    return Kivi(scale, half_f16(lowest), kivi_value(scale), lowest, plain);
}

// The code of an element, given as the f32 bits of its half.
fn kivi_code(group: Kivi, x: u32) -> u32 {
    let steps = (bitcast<f32>(x) - bitcast<f32>(group.lowest_value)) / bitcast<f32>(group.scale_value);
    let whole = floor(steps);
    // Two f16 roundings, of 2^-11 each, move up to 15 steps by less than 2^-6.
    if group.plain && abs(steps - whole - 0.5f) > 0.015625f {
        return min(u32(round(steps)), KIVI_TOP);
    }
    let off = kivi_half(exact_add(x, group.lowest_value ^ EXACT_SIGN));
    let step = kivi_half(exact_div(off, group.scale_value));
    // NaN (no range, or infinities) is 0; all steps are positive; `round` goes to even.
    if step > EXACT_INF {
        return 0u;
    }
    return u32(round(min(bitcast<f32>(step), f32(KIVI_TOP))));
}
