//! Reference arithmetic: values to bytes and back on the CPU, bit for bit as the published implementations do it.
//!
//! Everything is single precision, one rounding per written operation (no fused multiply-add), so every platform gives
//! the same bytes. Rows are head vectors or whole token rows of `dim` elements; formats that are planar in memory
//! (codes in one tensor, scales in another) are laid out plane after plane inside each row.

pub(super) mod float;
pub(super) mod fp4;
pub(super) mod fp8;
pub(super) mod ggml;
pub(super) mod kivi;
pub(super) mod mlx;
mod num;
pub(super) mod turbo;

use super::{Codec, CodecError, Side};
use crate::unit::Overflow;

/// Which of the published encoders to follow, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Route {
    /// The scalar reference: `from_float_ref` in ggml.
    #[default]
    Reference,
    /// What llama.cpp's cache path stores on x86. Only `q8_0` differs: half to even instead of half away from zero, and
    /// 127/amax instead of 1/(amax/127).
    Kv,
}

/// What a format does with infinities and NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NonFinite {
    /// Stored by the format's own rule.
    Stored,
    /// Refused: one such element would spoil its whole block.
    Refused,
}

/// The encoder and decoder of one format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arithmetic {
    /// Appends the bytes of `values`, whole rows of `dim`, to the buffer.
    pub(super) encode: fn(Route, usize, &[f32], &mut Vec<u8>),
    /// Appends the values of one row of `dim` elements.
    pub(super) decode: fn(usize, &[u8], &mut Vec<f32>),
    pub(super) non_finite: NonFinite,
}

impl Arithmetic {
    const fn finite(
        encode: fn(Route, usize, &[f32], &mut Vec<u8>),
        decode: fn(usize, &[u8], &mut Vec<f32>),
    ) -> Self {
        Self { encode, decode, non_finite: NonFinite::Refused }
    }
}

/// Values or bytes that cannot be encoded or decoded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ArithmeticError {
    /// The format's size is known, its arithmetic is not implemented.
    #[error("{codec} has a known size but no encoder here; `kvplan codecs` marks those that have one")]
    Unavailable {
        /// The codec's name.
        codec: &'static str,
    },
    /// The layout cannot hold rows of this width.
    #[error(transparent)]
    Shape(#[from] CodecError),
    /// Rows need at least one element.
    #[error("rows of 0 elements have no layout")]
    EmptyRow,
    /// The values are not whole rows.
    #[error("{values} values are not whole rows of {dim}")]
    PartialRow {
        /// Elements per row.
        dim: usize,
        /// Values given.
        values: usize,
    },
    /// The bytes are not whole rows.
    #[error("{bytes} bytes are not whole rows of {row_bytes} ({codec}, {dim} elements)")]
    PartialBytes {
        /// The codec's name.
        codec: &'static str,
        /// Elements per row.
        dim: usize,
        /// Bytes per row.
        row_bytes: usize,
        /// Bytes given.
        bytes: usize,
    },
    /// A value that the format cannot store.
    #[error("row {row}, element {element} is {value}, which {codec} cannot store")]
    NonFinite {
        /// The codec's name.
        codec: &'static str,
        /// The row, from 0.
        row: usize,
        /// The element in the row, from 0.
        element: usize,
        /// The value.
        value: f32,
    },
}

impl Codec {
    /// Whether [`Codec::encode`] and [`Codec::decode`] know this format.
    #[must_use]
    pub const fn has_arithmetic(self) -> bool {
        self.layout().arithmetic.is_some()
    }

    /// Encodes rows of `dim` elements. Formats that group tokens over time (`kivi2`) encode their value side, which is
    /// laid out row by row.
    ///
    /// Floating-point formats store infinities and NaN by their own rule: f32, f16 and bf16 as they are (f16 and bf16
    /// overflow to infinity), FP8 saturates infinities to its largest value and keeps NaN as `0x7f`. Every other format
    /// refuses them.
    ///
    /// ```
    /// # use kvplan_core::codec::{Codec, Route};
    /// let bytes = Codec::Fp8E4m3.encode(Route::Reference, 2, &[1.0, -448.0]).unwrap();
    /// assert_eq!(bytes, [0x38, 0xfe]);
    /// ```
    ///
    /// # Errors
    /// [`ArithmeticError`] when there is no encoder, the width does not fit the format, the values are not whole rows,
    /// or one of them cannot be stored.
    pub fn encode(self, route: Route, dim: usize, values: &[f32]) -> Result<Vec<u8>, ArithmeticError> {
        let (arithmetic, row_bytes) = self.arithmetic(dim)?;
        if !values.len().is_multiple_of(dim) {
            return Err(ArithmeticError::PartialRow { dim, values: values.len() });
        }
        if arithmetic.non_finite == NonFinite::Refused
            && let Some(at) = values.iter().position(|v| !v.is_finite())
        {
            let value = values.get(at).copied().unwrap_or(f32::NAN);
            return Err(ArithmeticError::NonFinite {
                codec: self.name(),
                row: at / dim,
                element: at % dim,
                value,
            });
        }
        let mut bytes = Vec::with_capacity(values.len() / dim * row_bytes);
        (arithmetic.encode)(route, dim, values, &mut bytes);
        Ok(bytes)
    }

    /// Decodes what [`Codec::encode`] gives. Rotated formats are rotated back.
    ///
    /// # Errors
    /// [`ArithmeticError`] when there is no decoder, the width does not fit the format, or the bytes are not whole rows.
    pub fn decode(self, dim: usize, bytes: &[u8]) -> Result<Vec<f32>, ArithmeticError> {
        let (arithmetic, row_bytes) = self.arithmetic(dim)?;
        if !bytes.len().is_multiple_of(row_bytes) {
            return Err(ArithmeticError::PartialBytes {
                codec: self.name(),
                dim,
                row_bytes,
                bytes: bytes.len(),
            });
        }
        let mut values = Vec::with_capacity(bytes.len() / row_bytes * dim);
        for row in bytes.chunks_exact(row_bytes) {
            (arithmetic.decode)(dim, row, &mut values);
        }
        Ok(values)
    }

    /// The arithmetic and the bytes of one row of `dim`.
    fn arithmetic(self, dim: usize) -> Result<(Arithmetic, usize), ArithmeticError> {
        let arithmetic =
            self.layout().arithmetic.ok_or(ArithmeticError::Unavailable { codec: self.name() })?;
        if dim == 0 {
            return Err(ArithmeticError::EmptyRow);
        }
        let overflow = |_| CodecError::Overflow(Overflow);
        let row = self.row_bytes(Side::Value, 1, u64::try_from(dim).map_err(overflow)?)?;
        Ok((arithmetic, usize::try_from(row.get()).map_err(overflow)?))
    }
}
