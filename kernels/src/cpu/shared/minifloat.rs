use super::low_byte;

/// A float of a byte, as in `shared/minifloat.wgsl`.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct MiniFloat {
    mantissa: u32,
    bias: u32,
    largest: u32,
}

pub(in crate::cpu) const E4M3: MiniFloat = MiniFloat { mantissa: 3, bias: 7, largest: 0x7e };
pub(in crate::cpu) const E5M2: MiniFloat = MiniFloat { mantissa: 2, bias: 15, largest: 0x7b };

impl MiniFloat {
    /// The code of an f32's bits, half to even and saturating; NaN is 0x7f.
    pub(in crate::cpu) fn code(self, bits: u32) -> u32 {
        let sign = (bits >> 24) & 0x80;
        let x = f32::from_bits(bits & 0x7fff_ffff);
        if x.is_nan() {
            return 0x7f;
        }
        let least_normal = f32::from_bits((128 - self.bias) << 23);
        if x >= least_normal {
            let drop = 23 - self.mantissa;
            let rounded = (x.to_bits() + (1 << (drop - 1)) - 1 + ((x.to_bits() >> drop) & 1)) >> drop;
            return sign | (rounded - ((127 - self.bias) << self.mantissa)).min(self.largest);
        }
        // Subnormal: units of a power of two, so that the product is exact.
        let per_unit = f32::from_bits((126 + self.bias + self.mantissa) << 23);
        sign | u32::from(low_byte((x * per_unit).round_ties_even()))
    }
}
