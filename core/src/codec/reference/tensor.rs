//! A whole [tensor](TensorShape) in one codec: packed tokens, and the window that stays in full precision.
//!
//! Formats laid out entry by entry are rows one after another, token-major. Formats that group tokens hold one group of
//! every head after another, so that appending moves no byte. The window, where a format has one, holds the newest
//! tokens in f16.

use super::{Arithmetic, ArithmeticError, KeyArithmetic, NonFinite, Route, RowCoder, TokenArithmetic};
use crate::codec::layout::Packing;
use crate::codec::{Codec, CodecError, Side};
use crate::unit::Overflow;
use half::f16;

/// The shape of K or V: `tokens` × `heads` × `dim`, in that order in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorShape {
    /// Tokens.
    pub tokens: usize,
    /// KV heads.
    pub heads: usize,
    /// Elements of one head's vector.
    pub dim: usize,
}

impl TensorShape {
    /// Elements of one token.
    fn token(self) -> Result<usize, Overflow> {
        self.heads.checked_mul(self.dim).ok_or(Overflow)
    }
}

/// How the packed part is read.
#[derive(Debug, Clone, Copy)]
enum Coder {
    /// Rows of one head's vector.
    Vectors(RowCoder),
    /// Rows of all heads of a token, whose blocks cross heads.
    Tokens(RowCoder),
    /// Groups of tokens of one head.
    Groups { arithmetic: TokenArithmetic, bytes: usize },
}

/// An encoded tensor. Its bytes are as many as [`Codec::store_bytes`] says.
#[derive(Debug, Clone)]
pub struct EncodedTensor {
    shape: TensorShape,
    coder: Coder,
    packed_tokens: usize,
    packed: Vec<u8>,
    window: Vec<u8>,
}

impl EncodedTensor {
    /// The tensor's shape.
    #[must_use]
    pub const fn shape(&self) -> TensorShape {
        self.shape
    }

    /// Tokens that are packed; the rest, the newest, are in the window.
    #[must_use]
    pub const fn packed_tokens(&self) -> usize {
        self.packed_tokens
    }

    /// Bytes of the packed tokens.
    #[must_use]
    pub fn packed(&self) -> &[u8] {
        &self.packed
    }

    /// Bytes of the window: f16, token after token.
    #[must_use]
    pub fn window(&self) -> &[u8] {
        &self.window
    }

    /// Bytes of both parts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.packed.len() + self.window.len()
    }

    /// Appends the vector of one token and head to `out`, decoding no more than the block it lies in asks for.
    ///
    /// # Errors
    /// [`ArithmeticError::OutOfTensor`].
    pub fn decode_vector(
        &self,
        token: usize,
        head: usize,
        out: &mut Vec<f32>,
    ) -> Result<(), ArithmeticError> {
        let TensorShape { tokens, heads, dim } = self.shape;
        if token >= tokens || head >= heads {
            return Err(ArithmeticError::OutOfTensor { token, head, tokens, heads });
        }
        if let Some(token) = token.checked_sub(self.packed_tokens) {
            let start = (token * heads + head) * dim * 2;
            let vector = self.window.get(start..start + dim * 2).unwrap_or_default();
            out.extend(vector.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()));
            return Ok(());
        }
        match self.coder {
            Coder::Vectors(rows) => {
                rows.decode_row(&self.packed, token * heads + head, out);
            }
            Coder::Tokens(rows) => {
                let mut row = Vec::with_capacity(rows.dim());
                rows.decode_row(&self.packed, token, &mut row);
                out.extend(row.iter().skip(head * dim).take(dim));
            }
            Coder::Groups { arithmetic, bytes } => {
                let group = (token / arithmetic.tokens) * heads + head;
                let group = self.packed.get(group * bytes..(group + 1) * bytes).unwrap_or_default();
                (arithmetic.decode)(dim, group, token % arithmetic.tokens, out);
            }
        }
        Ok(())
    }

    /// All values, in the tensor's order.
    ///
    /// # Errors
    /// None that [`Codec::encode_tensor`] would not have met.
    pub fn decode(&self) -> Result<Vec<f32>, ArithmeticError> {
        let TensorShape { tokens, heads, dim } = self.shape;
        let mut out = Vec::with_capacity(tokens * heads * dim);
        for token in 0..tokens {
            for head in 0..heads {
                self.decode_vector(token, head, &mut out)?;
            }
        }
        Ok(out)
    }
}

impl Codec {
    /// Encodes a tensor of K or V as a cache holds it after a prompt of `shape.tokens`: residual windows in f16, keys of
    /// `kivi*` per channel over groups of 32 tokens.
    ///
    /// ```
    /// # use kvplan_core::codec::{Codec, Route, Side, TensorShape};
    /// let shape = TensorShape { tokens: 130, heads: 1, dim: 32 };
    /// let keys: Vec<f32> = (0..130u8).flat_map(|t| [f32::from(t); 32]).collect();
    /// let tensor = Codec::Kivi2.encode_tensor(Side::Key, Route::Reference, shape, &keys).unwrap();
    /// // 128 tokens packed, the last two as they are
    /// assert_eq!((tensor.packed_tokens(), tensor.window().len()), (128, 2 * 32 * 2));
    /// let mut last = Vec::new();
    /// tensor.decode_vector(129, 0, &mut last).unwrap();
    /// assert_eq!(last, [129.0; 32]);
    /// ```
    ///
    /// # Errors
    /// [`ArithmeticError`] when there is no encoder, the shape does not fit, the values are not the tensor's, or one of
    /// them cannot be stored.
    pub fn encode_tensor(
        self,
        side: Side,
        route: Route,
        shape: TensorShape,
        values: &[f32],
    ) -> Result<EncodedTensor, ArithmeticError> {
        let token = shape.token().map_err(CodecError::from)?;
        if token == 0 {
            return Err(ArithmeticError::EmptyRow);
        }
        if token.checked_mul(shape.tokens) != Some(values.len()) {
            return Err(ArithmeticError::PartialRow { dim: token, values: values.len() });
        }
        let packed_tokens = self.packed_tokens(side, shape.tokens)?;
        let (old, new) = values.split_at(packed_tokens * token);
        super::whole_finite_rows(self.name(), self.window_rule(side), token, new)?;
        let coder = self.coder(side, route, shape)?;
        let packed = match coder {
            Coder::Vectors(rows) | Coder::Tokens(rows) => rows.encode(old)?,
            Coder::Groups { arithmetic, bytes } => {
                super::whole_finite_rows(self.name(), NonFinite::Refused, token, old)?;
                let mut packed = Vec::with_capacity(packed_tokens / arithmetic.tokens * shape.heads * bytes);
                for group in old.chunks_exact(token * arithmetic.tokens) {
                    for head in 0..shape.heads {
                        let vectors = group.chunks_exact(shape.dim).skip(head).step_by(shape.heads);
                        let group: Vec<f32> = vectors.flatten().copied().collect();
                        (arithmetic.encode)(shape.dim, &group, &mut packed);
                    }
                }
                packed
            }
        };
        let window = new.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
        Ok(EncodedTensor { shape, coder, packed_tokens, packed, window })
    }

    fn packed_tokens(self, side: Side, tokens: usize) -> Result<usize, ArithmeticError> {
        let overflow = |_| CodecError::Overflow(Overflow);
        let full = self.side(side).residual.tokens(u64::try_from(tokens).map_err(overflow)?, 0);
        Ok(tokens.saturating_sub(usize::try_from(full).map_err(overflow)?))
    }

    /// What the format does with infinities: its window refuses what its packed part refuses.
    fn window_rule(self, side: Side) -> NonFinite {
        let values = self.layout().arithmetic;
        match (side, self.layout().key_arithmetic) {
            (Side::Key, KeyArithmetic::Tokens(_)) => NonFinite::Refused,
            (Side::Key, KeyArithmetic::Rows(Arithmetic { non_finite, .. })) => non_finite,
            (Side::Key, KeyArithmetic::LikeValues) | (Side::Value, _) => {
                values.map_or(NonFinite::Refused, |a| a.non_finite)
            }
        }
    }

    fn coder(self, side: Side, route: Route, shape: TensorShape) -> Result<Coder, ArithmeticError> {
        if let (Side::Key, KeyArithmetic::Tokens(arithmetic)) = (side, self.layout().key_arithmetic) {
            let overflow = |_| CodecError::Overflow(Overflow);
            let wide = |n: usize| u64::try_from(n).map_err(overflow);
            let packing = self.side(side).packing;
            let group = packing.bytes(self.name(), 1, wide(shape.dim)?, wide(arithmetic.tokens)?)?;
            let bytes = usize::try_from(group.get()).map_err(overflow)?;
            return Ok(Coder::Groups { arithmetic, bytes });
        }
        match self.side(side).packing {
            // Blocks that fill a head's vector can be read head by head; otherwise they run through the token's row.
            Packing::Row(_) => match self.rows(side, route, shape.dim) {
                Ok(rows) => Ok(Coder::Vectors(rows)),
                Err(ArithmeticError::Shape(_)) => {
                    let token = shape.token().map_err(CodecError::from)?;
                    Ok(Coder::Tokens(self.rows(side, route, token)?))
                }
                Err(error) => Err(error),
            },
            Packing::Head { .. }
            | Packing::Rate { .. }
            | Packing::Entry { .. }
            | Packing::Channel(_)
            | Packing::TokenGroup { .. } => Ok(Coder::Vectors(self.rows(side, route, shape.dim)?)),
        }
    }
}
