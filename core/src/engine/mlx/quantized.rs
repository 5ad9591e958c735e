//! `QuantizedKVCache`: codes in 32-bit words, a scale and a bias per group, and where its own arithmetic fails.

use super::options::Options;
use crate::codec::Codec;
use crate::error::PlanError;
use crate::unit::{Bytes, Overflow};

/// A quantized cache's parameters, checked against what `mx.quantize` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantized {
    pub bits: u64,
    pub group: u64,
    pub codec: Codec,
}

impl Quantized {
    pub(super) fn of(options: &Options) -> Result<Self, PlanError> {
        let (bits, group) = (options.bits.unwrap_or(8), options.group_size.unwrap_or(64));
        let codec = match bits {
            2 => Codec::Mlx2,
            3 => Codec::Mlx3,
            4 => Codec::Mlx4,
            5 => Codec::Mlx5,
            6 => Codec::Mlx6,
            8 => Codec::Mlx8,
            _ => {
                let message = format!(
                    "ValueError: [quantize] The requested number of bits {bits} is not supported. The supported bits are 2, 3, 4, 5, 6 and 8."
                );
                return Err(PlanError::refused("engine.bits", message).with_value(bits));
            }
        };
        if ![32, 64, 128].contains(&group) {
            let message = format!(
                "ValueError: [quantize] The requested group size {group} is not supported. The supported group sizes are 32, 64, and 128."
            );
            return Err(PlanError::refused("engine.group_size", message).with_value(group));
        }
        Ok(Self { bits, group, codec })
    }

    /// Whether a vector divides into groups.
    ///
    /// # Errors
    /// `engine-refuses`, as `mx.quantize` says it.
    pub(super) fn divides(
        self,
        (sequences, heads, dim): (u64, u64, u64),
        first: u64,
    ) -> Result<(), PlanError> {
        if !dim.is_multiple_of(self.group) {
            let message = format!(
                "ValueError: [quantize] The last dimension of the matrix needs to be divisible by the quantization group size {}. However the provided matrix has shape ({sequences},{heads},{first},{dim})",
                self.group
            );
            return Err(PlanError::refused("engine.group_size", message).with_value(self.group));
        }
        Ok(())
    }

    /// Bytes of one vector: its words, and a scale and a bias per group in the model's type.
    ///
    /// # Errors
    /// `engine-refuses` where the words the cache lays out are not those `mx.quantize` returns.
    pub(super) fn vector(
        self,
        (sequences, heads, dim): (u64, u64, u64),
        first: u64,
        scalar: Bytes,
    ) -> Result<Bytes, PlanError> {
        self.divides((sequences, heads, dim), first)?;
        let laid_out = dim / (32 / self.bits);
        let packed = dim.checked_mul(self.bits).ok_or(Overflow)? / 32;
        if packed != laid_out {
            let message = format!(
                "ValueError: [broadcast_shapes] Shapes ({sequences},{heads},{first},{packed}) and ({sequences},{heads},{first},{laid_out}) cannot be broadcast."
            );
            return Err(PlanError::refused("engine.bits", message).with_value(self.bits));
        }
        Ok(Bytes::new(packed).times(4)?.plus(scalar.times(2)?.times(dim / self.group)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(bits: u64, dim: u64) -> Result<u64, PlanError> {
        let options = Options { bits: Some(bits), ..Options::default() };
        let quantized = Quantized::of(&options)?;
        quantized.vector((1, 8, dim), 299, Bytes::new(2)).map(Bytes::get)
    }

    #[test]
    fn a_head_of_128_takes_72_bytes_at_4_bits_and_136_at_8() {
        // Reference: mlx-lm 0.32.2, group 64, bf16.
        assert_eq!((vector(4, 128), vector(8, 128)), (Ok(72), Ok(136)));
    }

    #[test]
    fn five_and_six_bits_hold_heads_of_64_only_and_three_bits_fail_at_512() {
        for (bits, dim, holds) in [
            (3, 64, true),
            (3, 128, true),
            (3, 512, false),
            (5, 64, true),
            (5, 128, false),
            (6, 64, true),
            (6, 512, false),
        ] {
            assert_eq!(vector(bits, dim).is_ok(), holds, "{bits} bits at {dim}");
        }
    }
}
