// FP8 E4M3 (finite) of x/scale, half to even, saturating: four elements to a word.

#import shared/rows
#import shared/grid
#import shared/row_scale

const UNIT: u32 = 4u;

fn code(bits: u32) -> u32 {
    let sign = (bits >> 24u) & 0x80u;
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0x7f800000u {
        return 0x7fu;
    }
    // 464 and more: the largest value is 448, its code 0x7e.
    if magnitude >= 0x43e80000u {
        return sign | 0x7eu;
    }
    let exponent = magnitude >> 23u;
    if exponent >= 121u {
        let rebiased = magnitude - (120u << 23u);
        return sign | ((rebiased + 0x7ffffu + ((rebiased >> 20u) & 1u)) >> 20u);
    }
    // Subnormal: units of 2^-9. Half a unit and less is zero.
    if exponent < 117u {
        return sign;
    }
    let significand = (magnitude & 0x7fffffu) | 0x800000u;
    let shift = 141u - exponent;
    let kept = significand >> shift;
    let rest = significand & ((1u << shift) - 1u);
    let middle = 1u << (shift - 1u);
    let up = rest > middle || (rest == middle && (kept & 1u) == 1u);
    return sign | (kept + u32(up));
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let unit = grid_index(id, groups, 64u);
    let end = params.rows * params.width;
    let first = unit * UNIT;
    if first >= end {
        return;
    }
    var word = 0u;
    for (var i = 0u; i < min(UNIT, end - first); i++) {
        word |= code(scaled(first + i)) << (8u * i);
    }
    dst[unit] = word;
}
