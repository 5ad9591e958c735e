//! `QuantizedCache`: what the backends pack, what stays in full precision, and where they fail.

use super::options::{Backend, Options};
use crate::codec::Codec;
use crate::engine::ledger::Turn;
use crate::error::PlanError;
use crate::unit::{Bytes, Overflow};

/// A packed tensor's shape: sequences, heads, tokens, width.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub sequences: u64,
    pub heads: u64,
    pub dim: u64,
}

/// A backend with its parameters, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Groups of `group` elements with a scale and a shift; `residual` tokens gather unpacked.
    Grouped { backend: Grouped, bits: u64, group: u64, residual: u64, codec: Codec },
    /// A byte an element and one 4-byte scale per tensor.
    Fp8,
}

/// How a grouping backend lays groups out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouped {
    /// quanto, axis 0: one group a row.
    QuantoRows,
    /// quanto, axis −1: one group a column, tokens grouped per channel.
    QuantoColumns,
    /// HQQ, axis 1: one group a row.
    HqqRows,
    /// HQQ, axis 0: one group a column.
    HqqColumns,
}

impl Packing {
    /// From the options.
    ///
    /// # Errors
    /// `engine-refuses` in the words of the cache classes.
    pub(super) fn of(options: &Options) -> Result<Self, PlanError> {
        let backend = options.backend.unwrap_or_default();
        let axis = options.axis.unwrap_or(0);
        let bits = options.nbits.unwrap_or(4);
        let (bits_known, axes): (&[(u64, Codec)], _) = match backend {
            Backend::Quanto => (&[(2, Codec::QuantoInt2), (4, Codec::QuantoInt4)], (0, -1)),
            Backend::Hqq => (
                &[(1, Codec::Hqq1), (2, Codec::Hqq2), (3, Codec::Hqq3), (4, Codec::Hqq4), (8, Codec::Hqq8)],
                (0, 1),
            ),
            Backend::Fp8 => return Self::fp8(options),
        };
        let name = if backend == Backend::Quanto { "quanto" } else { "HQQ" };
        let Some((_, codec)) = bits_known.iter().find(|(known, _)| *known == bits) else {
            let known: Vec<String> = bits_known.iter().map(|(known, _)| format!("`{known}`")).collect();
            let message = format!(
                "ValueError: `nbits` for `{name}` backend has to be one of [{}] but got {bits}",
                known.join(", ")
            );
            return Err(PlanError::refused("engine.nbits", message).with_value(bits));
        };
        if axis != axes.0 && axis != axes.1 {
            let message = format!(
                "ValueError: `axis_key` for `{name}` backend has to be one of [`{}`, `{}`] but got {axis}",
                axes.0, axes.1
            );
            return Err(PlanError::refused("engine.axis", message).with_value(axis));
        }
        let backend = match (backend, axis) {
            (Backend::Quanto, 0) => Grouped::QuantoRows,
            (Backend::Quanto, _) => Grouped::QuantoColumns,
            (Backend::Hqq, 0) => Grouped::HqqColumns,
            (Backend::Hqq | Backend::Fp8, _) => Grouped::HqqRows,
        };
        let group = options.q_group_size.unwrap_or(64);
        let residual = options.residual_length.unwrap_or(128);
        Ok(Self::Grouped { backend, bits, group, residual, codec: *codec })
    }

    fn fp8(options: &Options) -> Result<Self, PlanError> {
        let given = [
            ("nbits", options.nbits.is_some()),
            ("axis", options.axis.is_some()),
            ("q_group_size", options.q_group_size.is_some()),
            ("residual_length", options.residual_length.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(Self::Fp8),
            Some((name, _)) => {
                let message = format!(
                    "ValueError: The `fp8` backend quantizes per-tensor and does not support ['{name}']. Use the `quanto` or `hqq` backend to quantize group-wise."
                );
                Err(PlanError::refused(format!("engine.{name}"), message))
            }
        }
    }

    /// The codec of the packed part.
    pub(super) const fn codec(self) -> Codec {
        match self {
            Self::Grouped { codec, .. } => codec,
            Self::Fp8 => Codec::Fp8E4m3,
        }
    }

    /// Generated tokens that are not packed yet: once `residual` gather, everything is packed again.
    pub(super) const fn unpacked(self, generated: u64) -> u64 {
        match self {
            Self::Grouped { residual: 0, .. } | Self::Fp8 => 0,
            Self::Grouped { residual, .. } => generated % residual,
        }
    }

    /// Whether the backend can pack and read back one layer's keys (or values) after `turn`.
    ///
    /// # Errors
    /// `engine-refuses` in the backend's words.
    pub(super) fn check(self, shape: Shape, turn: Turn) -> Result<(), PlanError> {
        let Self::Grouped { backend, bits, group, .. } = self else { return Ok(()) };
        backend.readable(bits, group, shape, turn)?;
        // The prompt is packed first, and everything at every flush after it.
        for tokens in [turn.prompt, turn.tokens()?.get() - self.unpacked(turn.generated)] {
            let elements = shape.row()?.checked_mul(tokens).ok_or(Overflow)?;
            if elements > 0 {
                backend.groupable(group, shape, elements)?;
                backend.packable(bits, group, elements)?;
            }
        }
        Ok(())
    }

    /// Bytes of one layer's keys (or values) after `turn`, whose unquantized element takes `scalar` bytes: what they
    /// need, and what is reserved (rows filled up).
    pub(super) fn bytes(self, shape: Shape, turn: Turn, scalar: Bytes) -> Result<(Bytes, Bytes), Overflow> {
        let waiting = self.unpacked(turn.generated);
        let tokens = turn.tokens()?.get() - waiting;
        let full = scalar.times(shape.row()?)?.times(waiting)?;
        if tokens == 0 {
            return Ok((full, full));
        }
        let elements = shape.row()?.checked_mul(tokens).ok_or(Overflow)?;
        let (needed, reserved) = match self {
            Self::Fp8 => {
                let bytes = Bytes::new(elements).plus(Bytes::new(4))?;
                (bytes, bytes)
            }
            Self::Grouped { backend, bits, group, .. } => {
                let groups = elements / group;
                let scales = scalar.times(2)?.times(groups)?;
                let codes = match bits {
                    3 => elements.checked_mul(4).ok_or(Overflow)?.div_ceil(10),
                    _ => elements.div_ceil(8 / bits),
                };
                (Bytes::new(codes).plus(scales)?, backend.codes(bits, group, groups)?.plus(scales)?)
            }
        };
        Ok((needed.plus(full)?, reserved.plus(full)?))
    }

    /// Tokens after which the growth pattern repeats.
    pub(super) const fn period(self) -> u64 {
        match self {
            Self::Grouped { residual: 0, .. } | Self::Fp8 => 1,
            Self::Grouped { residual, .. } => residual,
        }
    }
}

impl Shape {
    /// Elements of one token position.
    fn row(self) -> Result<u64, Overflow> {
        self.sequences.checked_mul(self.heads).and_then(|n| n.checked_mul(self.dim)).ok_or(Overflow)
    }
}

impl Grouped {
    /// Rows and columns of the grouped tensor; codes are packed along the rows.
    const fn grid(self, group: u64, groups: u64) -> (u64, u64) {
        match self {
            Self::QuantoRows | Self::HqqRows => (groups, group),
            Self::QuantoColumns | Self::HqqColumns => (group, groups),
        }
    }

    /// Bytes of the codes. quanto fills the last row up; HQQ's 3-bit words hold ten codes, the rest bytes of 8 / bits.
    fn codes(self, bits: u64, group: u64, groups: u64) -> Result<Bytes, Overflow> {
        let (rows, columns) = self.grid(group, groups);
        if bits == 3 {
            return Bytes::new(rows.div_ceil(10)).times(columns)?.times(4);
        }
        Bytes::new(rows.div_ceil(8 / bits)).times(columns)
    }

    /// Whether the tensor divides into groups.
    fn groupable(self, group: u64, shape: Shape, elements: u64) -> Result<(), PlanError> {
        let refused =
            |message: String| Err(PlanError::refused("engine.q_group_size", message).with_value(group));
        let numel = match self {
            Self::QuantoRows => elements / shape.sequences.max(1),
            Self::QuantoColumns => elements / shape.dim.max(1),
            Self::HqqRows | Self::HqqColumns if elements.is_multiple_of(group) => return Ok(()),
            Self::HqqRows | Self::HqqColumns => {
                return refused(format!(
                    "AssertionError: group_size should be divisble by the total tensor dimensions: {elements} elements, group_size: {group}"
                ));
            }
        };
        if group > numel || !numel.is_multiple_of(group) {
            return refused(format!("ValueError: Group size ({group}) must be a divisor of ({numel})"));
        }
        Ok(())
    }

    /// HQQ lays equal parts of the rows over each other; quanto fills up.
    fn packable(self, bits: u64, group: u64, elements: u64) -> Result<(), PlanError> {
        let (rows, _) = self.grid(group, elements / group);
        match self {
            Self::QuantoRows | Self::QuantoColumns => Ok(()),
            Self::HqqRows | Self::HqqColumns if bits == 3 || rows.is_multiple_of(8 / bits) => Ok(()),
            Self::HqqRows | Self::HqqColumns => {
                let message = format!(
                    "RuntimeError: HQQ packs {} rows into one, and {rows} rows do not divide",
                    8 / bits
                );
                Err(PlanError::refused("engine.nbits", message).with_value(bits))
            }
        }
    }

    /// HQQ reads a 3-bit tensor back with as many rows as a weight matrix of (sequences, heads) would have: whatever
    /// is generated after the prompt fails on that, save where one row is left to broadcast.
    fn readable(self, bits: u64, group: u64, shape: Shape, turn: Turn) -> Result<(), PlanError> {
        if bits != 3 || turn.generated == 0 || self != Self::HqqRows {
            return Ok(());
        }
        let outer = shape.sequences.checked_mul(shape.heads).ok_or(Overflow)?;
        let rows =
            outer.checked_mul(shape.dim).and_then(|n| n.checked_mul(turn.prompt)).ok_or(Overflow)? / group;
        let read = (outer / group).min(rows.div_ceil(10).saturating_mul(10));
        if read == rows || read == 1 {
            return Ok(());
        }
        let message = format!(
            "RuntimeError: The size of tensor a ({read}) must match the size of tensor b ({rows}) at non-singleton dimension 0"
        );
        Err(PlanError::refused("engine.nbits", message).with_value(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A layer of Llama-3.1-8B.
    const LLAMA: Shape = Shape { sequences: 1, heads: 8, dim: 128 };

    fn bytes(backend: Backend, nbits: u64, axis: i64, prompt: u64, generated: u64) -> Result<u64, PlanError> {
        let options =
            Options { backend: Some(backend), nbits: Some(nbits), axis: Some(axis), ..Options::default() };
        let turn = Turn { prompt, generated };
        let packing = Packing::of(&options)?;
        packing.check(LLAMA, turn)?;
        Ok(packing.bytes(LLAMA, turn, Bytes::new(2))?.1.get())
    }

    #[test]
    fn up_to_127_generated_tokens_stay_in_full_precision() {
        // transformers/1015 and its neighbour, one of two tensors each.
        assert_eq!(bytes(Backend::Quanto, 2, 0, 300, 127).map(|b| 2 * b), Ok(712_192));
        assert_eq!(bytes(Backend::Hqq, 2, 1, 300, 128).map(|b| 2 * b), Ok(273_920));
    }

    #[test]
    fn three_bits_pad_rows_to_tens_and_cannot_be_read_back() {
        assert_eq!(bytes(Backend::Hqq, 3, 1, 128, 0).map(|b| 2 * b), Ok(121_344));
        let error = bytes(Backend::Hqq, 3, 1, 300, 5).unwrap_err();
        assert!(error.message.contains("must match the size of tensor b (4800)"), "{}", error.message);
    }

    #[test]
    fn bits_and_axes_a_backend_does_not_have_are_refused_in_its_words() {
        let error = bytes(Backend::Quanto, 8, 0, 128, 0).unwrap_err();
        assert_eq!(
            error.message,
            "ValueError: `nbits` for `quanto` backend has to be one of [`2`, `4`] but got 8"
        );
        assert_eq!(bytes(Backend::Quanto, 4, 1, 128, 0).unwrap_err().field, "engine.axis");
        assert_eq!(bytes(Backend::Hqq, 4, -1, 128, 0).unwrap_err().field, "engine.axis");
    }
}
