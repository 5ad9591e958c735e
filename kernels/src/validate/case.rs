//! What is run: a codec, a shape, and where K, V and Q come from.

use super::block_gtq;
use crate::op::CodecKernels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The dimensions of one layer's cache and of who attends to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseShape {
    /// What to call it.
    pub label: String,
    /// Tokens in the cache.
    pub tokens: u32,
    /// Query heads.
    pub heads: u32,
    /// KV heads, which divide the query heads.
    pub kv_heads: u32,
    /// Elements of a head's key.
    pub k_dim: u32,
    /// Elements of a head's value.
    pub v_dim: u32,
    /// Tokens a query sees, itself included; 0 for all.
    pub window: u32,
    /// Queries of prefill: the sequence's last tokens.
    pub queries: u32,
    /// Layers of the model that have this shape; 1 where it is no model's.
    pub layers: u64,
}

/// Where K, V and Q come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Gaussian, keys with a few channels much larger than the rest, half of the tokens in bf16's few bits (many ties).
    Synthetic,
    /// A real model's, after rotary embedding.
    Captured(Arc<Tensors>),
}

/// One layer's activations.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensors {
    /// `[tokens, heads, k_dim]`.
    pub q: Vec<f32>,
    /// `[tokens, kv_heads, k_dim]`.
    pub k: Vec<f32>,
    /// `[tokens, kv_heads, v_dim]`.
    pub v: Vec<f32>,
}

/// What packs and reads a case's K and V.
#[derive(Debug, Clone, Copy)]
pub(super) enum Coder {
    /// A row of [`crate::op::CODECS`].
    Codec(&'static CodecKernels),
    /// Block-GTQ's keys and TurboQuant's values, whose bytes follow from the data.
    BlockGtq,
}

impl Coder {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Codec(kernels) => kernels.codec.name(),
            Self::BlockGtq => block_gtq::NAME,
        }
    }
}

/// One codec on one shape.
#[derive(Debug, Clone)]
pub struct Case {
    coder: Coder,
    shape: CaseShape,
    source: Source,
}

impl Case {
    /// A case.
    #[must_use]
    pub const fn new(kernels: &'static CodecKernels, shape: CaseShape, source: Source) -> Self {
        Self { coder: Coder::Codec(kernels), shape, source }
    }

    /// Block-GTQ's bit-packed cache at three bits: keys by energy per RoPE block, values by `turboquant_mse_3`.
    #[must_use]
    pub const fn block_gtq(shape: CaseShape, source: Source) -> Self {
        Self { coder: Coder::BlockGtq, shape, source }
    }

    /// The codec's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.coder.name()
    }

    pub(super) const fn coder(&self) -> Coder {
        self.coder
    }

    /// The shape.
    #[must_use]
    pub const fn shape(&self) -> &CaseShape {
        &self.shape
    }

    /// Whether the activations are a real model's.
    #[must_use]
    pub const fn real(&self) -> bool {
        matches!(self.source, Source::Captured(_))
    }

    /// The activations.
    #[must_use]
    pub fn tensors(&self) -> Arc<Tensors> {
        match &self.source {
            Source::Synthetic => Arc::new(synthetic(&self.shape)),
            Source::Captured(tensors) => Arc::clone(tensors),
        }
    }
}

/// A shape of one KV head width, with prefill over its last tokens.
fn shape(heads: u32, kv_heads: u32, head_dim: u32, tokens: u32, window: u32) -> CaseShape {
    let seen = if window > 0 { format!(", last {window}") } else { String::new() };
    CaseShape {
        label: format!("{heads} heads on {kv_heads} of {head_dim}, {tokens} tokens{seen}"),
        tokens,
        heads,
        kv_heads,
        k_dim: head_dim,
        v_dim: head_dim,
        window,
        queries: tokens.min(37),
        layers: 1,
    }
}

/// The shapes run when none are asked for: widths 64 and 128, grouped queries, token counts that no block or tile divides,
/// one of them more than KIVI's window and one of its groups.
/// The first is a real model's where `sample` gives one. `full` adds widths 96 and 256, one head for all, no grouping, a
/// single token, a window, and more tokens than one split takes.
#[must_use]
pub fn standard(sample: Option<(CaseShape, Source)>, full: bool) -> Vec<(CaseShape, Source)> {
    let mut shapes: Vec<CaseShape> = Vec::new();
    if sample.is_none() {
        shapes.push(shape(9, 3, 64, 127, 0));
    }
    shapes.push(shape(8, 2, 128, 293, 0));
    if full {
        shapes.extend([
            shape(4, 4, 64, 1, 0),
            shape(8, 1, 64, 531, 0),
            shape(6, 2, 128, 613, 300),
            shape(4, 2, 96, 101, 0),
            shape(4, 1, 256, 259, 0),
        ]);
    }
    sample.into_iter().chain(shapes.into_iter().map(|shape| (shape, Source::Synthetic))).collect()
}

/// One small shape, for a look at every codec in a browser: grouped queries, a width every codec takes, a token count that
/// no block or tile divides.
#[must_use]
pub fn quick() -> Vec<(CaseShape, Source)> {
    vec![(shape(4, 2, 128, 67, 0), Source::Synthetic)]
}

/// Marsaglia's xorshift: the same numbers everywhere.
struct Random(u32);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        // 16 bits: a byte-wise conversion is exact.
        let [_, _, low, high] = self.0.to_le_bytes();
        f32::from(u16::from_le_bytes([low, high])) / 65536.0
    }

    /// Near Gaussian, of variance 1: twelve would be textbook, four are enough here.
    fn normal(&mut self) -> f32 {
        const SCALE: f32 = 1.732_050_8;
        ((0..4).map(|_| self.unit()).sum::<f32>() - 2.0) * SCALE
    }
}

/// K of `tokens` × `width`, V of another width, Q of `heads`: the same numbers for the same shape, whatever the codec.
pub(super) fn synthetic(shape: &CaseShape) -> Tensors {
    let mut random = Random(0x9e37_79b9 ^ shape.tokens ^ (shape.k_dim << 16) ^ (shape.heads << 8));
    let coarse = |token: u32, x: f32| if token % 2 == 1 { half::bf16::from_f32(x).to_f32() } else { x };
    let mut rows = |width: u32, spread: fn(u32) -> f32| -> Vec<f32> {
        (0..shape.tokens)
            .flat_map(|token| (0..width).map(move |channel| (token, channel)))
            .map(|(token, channel)| coarse(token, random.normal() * spread(channel)))
            .collect()
    };
    Tensors {
        // Spread enough for a softmax that decides.
        k: rows(shape.kv_heads * shape.k_dim, |channel| if channel % 37 == 3 { 12.0 } else { 1.5 }),
        v: rows(shape.kv_heads * shape.v_dim, |_| 1.0),
        q: rows(shape.heads * shape.k_dim, |channel| if channel % 37 == 3 { 0.1 } else { 1.0 }),
    }
}
