// Floats of a byte, half to even and saturating, on bits.

struct MiniFloat {
    mantissa: u32,
    bias: u32,
    // Code of the largest finite magnitude.
    largest: u32,
}

const E4M3: MiniFloat = MiniFloat(3u, 7u, 0x7eu);
const E5M2: MiniFloat = MiniFloat(2u, 15u, 0x7bu);

// The code of an f32's bits; NaN is 0x7f.
fn minifloat(format: MiniFloat, bits: u32) -> u32 {
    let sign = (bits >> 24u) & 0x80u;
    let magnitude = bits & 0x7fffffffu;
    if magnitude > 0x7f800000u {
        return 0x7fu;
    }
    let exponent = magnitude >> 23u;
    let drop = 23u - format.mantissa;
    if exponent >= 128u - format.bias {
        let rounded = (magnitude + (1u << (drop - 1u)) - 1u + ((magnitude >> drop) & 1u)) >> drop;
        return sign | min(rounded - ((127u - format.bias) << format.mantissa), format.largest);
    }
    // Subnormal: units of the smallest step. Half a unit and less is zero.
    let shift = 151u - format.bias - format.mantissa - exponent;
    if shift > 24u {
        return sign;
    }
    let significand = (magnitude & 0x7fffffu) | 0x800000u;
    let kept = significand >> shift;
    let rest = significand & ((1u << shift) - 1u);
    let middle = 1u << (shift - 1u);
    let up = rest > middle || (rest == middle && (kept & 1u) == 1u);
    return sign | (kept + u32(up));
}
