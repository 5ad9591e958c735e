//! Reference arithmetic: values to bytes and back on the CPU, bit for bit as the published implementations do it.
//!
//! Everything is single precision, one rounding per written operation (no fused multiply-add), so every platform gives
//! the same bytes. Rows are head vectors or whole token rows of `dim` elements; formats that are planar in memory
//! (codes in one tensor, scales in another) are laid out plane after plane inside each row.
//!
//! Each file's head says what is bit-exact against which implementation and what is this crate's own definition.

mod block_gtq;
mod codebook;
mod error;
pub(super) mod float;
pub(super) mod fp4;
pub(super) mod fp8;
pub(super) mod ggml;
pub(super) mod int8;
pub(super) mod kivi;
pub(super) mod mlx;
pub(super) mod mxfp8;
mod num;
pub(super) mod per_token_head;
mod rotation;
mod rows;
mod scaled;
mod tensor;
pub(super) mod turbo;
pub(super) mod turboquant;
pub(super) mod vllm_turboquant;

pub use block_gtq::{BlockGtq, Pairing, allocate, energies};
pub use error::ArithmeticError;
pub use fp4::nvfp4_swizzled_scale;
pub use rotation::{Rotation, RotationError};
pub use rows::RowCoder;
pub use scaled::{ScaleError, StaticScale};
pub use tensor::{EncodedTensor, TensorShape};
pub use turboquant::TurboQuant;

#[cfg(doc)]
use super::Codec;

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

/// Which widths a format's transform exists for, apart from what its layout asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Widths {
    /// All of them.
    Any,
    /// Powers of two, up to this one.
    PowerOfTwo {
        /// The widest.
        most: usize,
    },
}

/// What a scale outside the cache does to the codes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scaling {
    /// The format has no such scale.
    None,
    /// x/scale is encoded and decoded values are multiplied.
    Divided,
    /// The format's own rule; the first argument is the scale.
    Own {
        /// As [`Arithmetic::encode`], of the reference route.
        encode: fn(f32, usize, &[f32], &mut Vec<u8>),
        /// As [`Arithmetic::decode`].
        decode: fn(f32, usize, &[u8], &mut Vec<f32>),
    },
}

/// The encoder and decoder of one format.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arithmetic {
    /// Appends the bytes of `values`, whole rows of `dim`, to the buffer. A slot's padding is not its affair.
    pub(super) encode: fn(Route, usize, &[f32], &mut Vec<u8>),
    /// Appends the values of one row of `dim` elements.
    pub(super) decode: fn(usize, &[u8], &mut Vec<f32>),
    pub(super) non_finite: NonFinite,
    pub(super) widths: Widths,
    pub(super) scaling: Scaling,
}

impl Arithmetic {
    const fn finite(
        encode: fn(Route, usize, &[f32], &mut Vec<u8>),
        decode: fn(usize, &[u8], &mut Vec<f32>),
    ) -> Self {
        Self { encode, decode, non_finite: NonFinite::Refused, widths: Widths::Any, scaling: Scaling::None }
    }

    /// The same with a scale outside the cache.
    const fn divided(self) -> Self {
        Self { scaling: Scaling::Divided, ..self }
    }
}

/// The encoder and decoder of a format that groups tokens over time. Such formats refuse infinities and NaN.
#[derive(Debug, Clone, Copy)]
pub(super) struct TokenArithmetic {
    /// Tokens per group.
    pub(super) tokens: usize,
    /// Appends the bytes of one head's group: `tokens` vectors of `dim` elements, token after token.
    pub(super) encode: fn(usize, &[f32], &mut Vec<u8>),
    /// Appends one token's vector out of a group's bytes.
    pub(super) decode: fn(usize, &[u8], usize, &mut Vec<f32>),
}

/// How a format's keys are encoded.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeyArithmetic {
    /// Like its values.
    LikeValues,
    /// Row by row, otherwise than values.
    Rows(Arithmetic),
    /// In groups of tokens.
    Tokens(TokenArithmetic),
}

/// Refuses values that are not whole rows, or that the format cannot store.
fn whole_finite_rows(
    codec: &'static str,
    non_finite: NonFinite,
    dim: usize,
    values: &[f32],
) -> Result<(), ArithmeticError> {
    if !values.len().is_multiple_of(dim) {
        return Err(ArithmeticError::PartialRow { dim, values: values.len() });
    }
    match values.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        Some((at, value)) if non_finite == NonFinite::Refused => {
            Err(ArithmeticError::NonFinite { codec, row: at / dim, element: at % dim, value: *value })
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses bytes that are not whole rows.
fn whole_rows(
    codec: &'static str,
    dim: usize,
    row_bytes: usize,
    bytes: &[u8],
) -> Result<(), ArithmeticError> {
    if bytes.len().is_multiple_of(row_bytes) {
        Ok(())
    } else {
        Err(ArithmeticError::PartialBytes { codec, dim, row_bytes, bytes: bytes.len() })
    }
}

/// Row `index` of rows of `row_bytes`.
fn nth_row(bytes: &[u8], row_bytes: usize, index: usize) -> Option<&[u8]> {
    index.checked_mul(row_bytes).and_then(|start| bytes.get(start..)?.get(..row_bytes))
}
