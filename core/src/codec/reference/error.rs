//! What cannot be encoded or decoded.

use super::RotationError;
use crate::codec::CodecError;

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
    /// Bytes that are no whole tensor of this shape.
    #[error("{codec} stores this tensor in {expected} bytes, not {bytes}")]
    TensorBytes {
        /// The codec's name.
        codec: &'static str,
        /// Bytes the layout asks for.
        expected: usize,
        /// Bytes given.
        bytes: usize,
    },
    /// The format's transform does not exist for this width.
    #[error("{codec} turns vectors by a Hadamard transform: {dim} is no power of two up to {most}")]
    NoTransform {
        /// The codec's name.
        codec: &'static str,
        /// The width asked for.
        dim: usize,
        /// The widest there is.
        most: usize,
    },
    /// Keys of this format exist in groups of tokens only.
    #[error("{codec} packs keys in groups of {tokens} tokens; encode a tensor, not rows")]
    TokenGroups {
        /// The codec's name.
        codec: &'static str,
        /// Tokens per group.
        tokens: usize,
    },
    /// The format has no scale outside the cache.
    #[error("{codec} takes no scale from outside: it stores its own or none")]
    NoStaticScale {
        /// The codec's name.
        codec: &'static str,
    },
    /// Scales that do not fit the rows.
    #[error("{rows} rows are no whole number of turns through {scales} scales")]
    Scales {
        /// Rows given.
        rows: usize,
        /// Scales given.
        scales: usize,
    },
    /// A code width that has no codebook.
    #[error("codes of {bits} bits have no codebook; 1 to 8 have one")]
    Bits {
        /// The width asked for.
        bits: u8,
    },
    /// Widths that do not describe the blocks of a vector.
    #[error("{blocks} RoPE blocks of two dimensions need {blocks} widths, not {widths}")]
    BlockWidths {
        /// Blocks of a vector.
        blocks: usize,
        /// Widths given.
        widths: usize,
    },
    /// A token or head that the tensor does not have.
    #[error("no token {token} of head {head} in {tokens} tokens of {heads} heads")]
    OutOfTensor {
        /// The token asked for.
        token: usize,
        /// The head asked for.
        head: usize,
        /// Tokens there are.
        tokens: usize,
        /// Heads there are.
        heads: usize,
    },
    /// A rotation that does not fit.
    #[error(transparent)]
    Rotation(#[from] RotationError),
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
