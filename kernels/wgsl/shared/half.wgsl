// Conversions between f32 and the 16-bit floats on bits: WGSL leaves the rounding of pack2x16float to the device.

// The nearest f16, ties to even; from 65520 on infinite.
fn half_f16(bits: u32) -> u32 {
    let sign = (bits >> 16u) & 0x8000u;
    let magnitude = bits & 0x7fffffffu;
    if magnitude >= 0x47800000u {
        return sign | select(0x7c00u, 0x7e00u | ((magnitude >> 13u) & 0x3ffu), magnitude > 0x7f800000u);
    }
    if magnitude >= 0x38800000u {
        let rebiased = magnitude - 0x38000000u;
        return sign | ((rebiased + 0xfffu + ((rebiased >> 13u) & 1u)) >> 13u);
    }
    // Subnormal: units of 2^-24. Half a unit and less is zero.
    let exponent = magnitude >> 23u;
    if exponent < 102u {
        return sign;
    }
    let significand = (magnitude & 0x7fffffu) | 0x800000u;
    let shift = 126u - exponent;
    let kept = significand >> shift;
    let rest = significand & ((1u << shift) - 1u);
    let middle = 1u << (shift - 1u);
    let up = rest > middle || (rest == middle && (kept & 1u) == 1u);
    return sign | (kept + u32(up));
}

// The nearest bf16, ties to even.
fn half_bf16(bits: u32) -> u32 {
    if (bits & 0x7fffffffu) > 0x7f800000u {
        return (bits >> 16u) | 0x40u;
    }
    return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}
