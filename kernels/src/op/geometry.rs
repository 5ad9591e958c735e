//! Where a side's bytes lie in its buffer, from `kvplan-core`'s layout.

use kvplan_core::codec::{Codec, CodecError, Packing, Residual, Side};

use super::{SideKernels, word};
use crate::gpu::GpuError;
use crate::shader::Geometry;

/// K or V of one sequence: `tokens` × `heads` × `head_dim`, in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tensor {
    /// Tokens.
    pub tokens: u32,
    /// KV heads.
    pub heads: u32,
    /// Elements of one head's vector.
    pub head_dim: u32,
}

impl Tensor {
    /// Elements of all tokens.
    #[must_use]
    pub const fn elements(self) -> u64 {
        // Two factors fit: a tensor of 2^64 elements and more is refused by its bytes.
        (self.tokens as u64 * self.heads as u64).saturating_mul(self.head_dim as u64)
    }
}

/// How the two sides share buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrangement {
    /// Each side in a buffer of its own, token after token, as [`Codec::encode_tensor`] lays it out.
    #[default]
    Rows,
    /// One buffer, bound as K and as V: per token and head the key's part, the value's part and the slot's padding, as
    /// [`Codec::encode_slots`] lays it out.
    Slots,
    /// One buffer of pages, bound as K and as V; each page holds the keys' codes, the keys' scales, the values' codes and
    /// the values' scales, as vLLM keeps NVFP4. For layouts whose scales follow a vector's codes.
    Pages {
        /// Slots per page: what a block table's page holds.
        tokens: u32,
        /// Whether a plane holds head after head (`HND`) or token after token (`NHD`).
        heads_first: bool,
        /// Whether scales of values are transposed in groups of four slots, as GPUs before SM 12 read them
        /// ([`kvplan_core::codec::nvfp4_swizzled_scale`]).
        swizzled: bool,
    },
}

/// A run of words in the buffer beside a cache: scales, tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first word.
    pub first: u32,
    /// Words; 0 where the side has nothing beside it (a scale is then 1).
    pub words: u32,
}

/// Tokens of a side that stay in 16 bits after a prompt of `tokens`.
pub(super) fn window_tokens(residual: Residual, tokens: u32) -> u32 {
    let tokens = u64::from(tokens);
    let full = match residual {
        Residual::None | Residual::SinceFlush(_) => 0,
        Residual::Remainder(r) => tokens.checked_rem(r).unwrap_or(0),
        Residual::Newest(r) => tokens.min(r),
    };
    // No more than `tokens`, which came from 32 bits.
    u32::try_from(full).unwrap_or(u32::MAX)
}

/// Bytes of one slot's parts: the key's, the value's.
fn slot_parts(codec: Codec, head_dim: u32) -> Result<(u64, u64), CodecError> {
    let part = |side| codec.row_bytes(side, 1, u64::from(head_dim));
    Ok((part(Side::Key)?.get(), part(Side::Value)?.get()))
}

impl SideKernels {
    /// Bytes of a vector's codes where its scales follow in a plane of their own; else 0.
    fn plane(&self, head_dim: u32) -> u32 {
        self.dequantize.constant("src_CODE_BITS").map_or(0, |bits| head_dim.saturating_mul(bits) / 8)
    }

    /// Where this side of a cache lies: `tensor` is all its slots.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the layout does not take the shape or the arrangement, or needs more than 32 bits.
    pub fn geometry(
        &self,
        tensor: Tensor,
        arrangement: Arrangement,
        beside: Span,
    ) -> Result<Geometry, GpuError> {
        let Tensor { heads, head_dim, .. } = tensor;
        self.decodes(head_dim)?;
        let of = |what: &str, bytes: u64| word(self.dequantize, what, bytes);
        let (wide, dim) = (u64::from(heads), u64::from(head_dim));
        let row = self.fits(self.codec.row_bytes(self.side, wide, dim))?.get();
        let mut geometry = Geometry {
            page_tokens: 1,
            page_bytes: of("bytes per token", row)?,
            beside: beside.first,
            beside_words: beside.words,
            heads,
            head_dim,
            ..Geometry::default()
        };
        if arrangement == Arrangement::Slots {
            let (key, value) = self.fits(slot_parts(self.codec, head_dim))?;
            let slot = key.saturating_add(value);
            geometry.page_bytes = of("bytes per token", slot.saturating_mul(wide))?;
            geometry.head_bytes = of("bytes per slot", slot)?;
            geometry.plane_head_bytes = geometry.head_bytes;
            geometry.plane = self.plane(head_dim);
            geometry.base = of("bytes per key", if self.side == Side::Key { 0 } else { key })?;
            return Ok(geometry);
        }
        if let Arrangement::Pages { tokens, heads_first, swizzled } = arrangement {
            return self.pages(geometry, row, (tokens, heads_first, swizzled));
        }
        match self.packing() {
            Packing::Row(_) => geometry.head_elements = head_dim,
            Packing::Head { .. } | Packing::Entry { .. } => {
                let vector = row.checked_div(wide).unwrap_or(0);
                geometry.head_bytes = of("bytes per vector", vector)?;
                geometry.plane_head_bytes = geometry.head_bytes;
                geometry.plane = self.plane(head_dim);
            }
            Packing::Channel(block) => {
                let group = block.bytes.saturating_mul(dim);
                geometry.page_tokens = of("tokens per group", block.elements)?;
                geometry.head_bytes = of("bytes per group", group)?;
                geometry.page_bytes = of("bytes per group", group.saturating_mul(wide))?;
            }
            Packing::TokenGroup { tokens, bytes } => {
                geometry.page_tokens = of("tokens per group", tokens)?;
                geometry.head_bytes = of("bytes per group", bytes)?;
                geometry.page_bytes = of("bytes per group", bytes.saturating_mul(wide))?;
            }
            Packing::Rate { .. } => {
                return super::refuse(self.dequantize, "a rate over the row is no layout to read");
            }
        }
        let residual = self.layout().residual;
        if residual.window() > 0 {
            let vector = u64::from(heads) * u64::from(head_dim) * kvplan_core::codec::FULL_PRECISION_BYTES;
            let full = u64::from(window_tokens(residual, tensor.tokens)).saturating_mul(vector);
            geometry.window = of("packed bytes", self.bytes(tensor)?.saturating_sub(full))?;
            geometry.window_bytes = of("bytes of a window", residual.window().saturating_mul(vector))?;
        }
        Ok(geometry)
    }

    /// [`Arrangement::Pages`]: `row` bytes are those of a token of this side.
    fn pages(
        &self,
        geometry: Geometry,
        row: u64,
        (tokens, heads_first, swizzled): (u32, bool, bool),
    ) -> Result<Geometry, GpuError> {
        let shader = self.dequantize;
        let Geometry { heads, head_dim, .. } = geometry;
        let codes = u64::from(self.plane(head_dim));
        let (wide, slots) = (u64::from(heads), u64::from(tokens));
        let scales = row.checked_div(wide).unwrap_or(0).saturating_sub(codes);
        if codes == 0 || tokens == 0 {
            let message = format!("pages of {tokens} tokens: {} has no plane of scales", self.codec);
            return super::refuse(shader, message);
        }
        let swizzled = swizzled && self.side == Side::Value;
        if swizzled && !(tokens.is_multiple_of(4) && scales.is_multiple_of(4)) {
            let message = format!("{scales} scales of {tokens} tokens are not transposed by fours");
            return super::refuse(shader, message);
        }
        let part = |side| self.fits(self.codec.row_bytes(side, wide, u64::from(head_dim)));
        let (key, value) = (part(Side::Key)?.get(), part(Side::Value)?.get());
        let of = |what: &str, bytes: u64| word(shader, what, bytes);
        // Bytes from one token and from one head to the next, of a plane of so many bytes per vector.
        let steps =
            |vector: u64| if heads_first { (vector, vector * slots) } else { (vector * wide, vector) };
        let ((token, head), (plane_token, plane_head)) = (steps(codes), steps(scales));
        Ok(Geometry {
            base: of("bytes per page of keys", if self.side == Side::Key { 0 } else { key * slots })?,
            page_tokens: tokens,
            page_bytes: of("bytes per page", (key + value).saturating_mul(slots))?,
            token_bytes: of("bytes per token", token)?,
            head_bytes: of("bytes per head", head)?,
            plane: of("bytes per plane", codes * slots * wide)?,
            plane_token_bytes: of("bytes per token", plane_token)?,
            plane_head_bytes: of("bytes per head", plane_head)?,
            swizzled: u32::from(swizzled),
            ..geometry
        })
    }
}
