//! Weights by layer, as far as they are known.

use super::layers::portions;
use crate::error::PlanError;
use crate::explain::Basis;
use crate::unit::{Bytes, Overflow};
use crate::weights::{Applied, LayerBytes, MtpLayer, Weights};

/// Where a model's weights are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightMap {
    /// Layers in order, trunk first: everything but routed experts. The places of prediction layers, which are lines
    /// of their own, are empty where the parts are known.
    pub dense: Vec<Bytes>,
    /// Routed experts of each layer.
    pub routed: Vec<Bytes>,
    /// Token embeddings.
    pub embedding: Bytes,
    /// The output matrix, and what belongs to no layer.
    pub output: Bytes,
    /// What the embedding weighs a second time where it is the head too and an engine keeps the two on different
    /// devices; 0 for a head of its own.
    pub tied_head: Bytes,
    /// Every prediction layer, whether it is loaded or not.
    pub mtp: Vec<MtpLayer>,
    /// What the checkpoint holds, prediction layers and all; `None` where only the whole is known.
    pub checkpoint: Option<Bytes>,
    /// What one token's pass reads of all of it; `None` where only the whole is known.
    pub active: Option<Bytes>,
    /// What of the model's parameters a token meets; `None` where its tensors are not understood.
    pub applied: Option<Applied>,
    /// How far the whole may be off.
    pub doubt: Bytes,
    /// How sure.
    pub basis: Basis,
    /// Whether the parts are known, or only the whole.
    pub by_part: bool,
}

impl WeightMap {
    /// Weights of which only the whole is known: spread evenly over the layers.
    ///
    /// # Errors
    /// `overflow` past 64 bits.
    pub fn whole(bytes: Bytes, layers: usize) -> Result<Self, PlanError> {
        let layers = layers.max(1);
        Ok(Self {
            dense: portions(bytes, &vec![1; layers])?,
            routed: vec![Bytes::ZERO; layers],
            embedding: Bytes::ZERO,
            output: Bytes::ZERO,
            tied_head: Bytes::ZERO,
            mtp: Vec::new(),
            checkpoint: None,
            active: None,
            applied: None,
            doubt: Bytes::ZERO,
            basis: Basis::Assumed,
            by_part: false,
        })
    }

    /// Weights whose parts are known, over a model's `blocks` trunk and prediction layers.
    ///
    /// # Errors
    /// `overflow` past 64 bits.
    pub fn parts(weights: &Weights, blocks: usize) -> Result<Self, PlanError> {
        let mut layers = weights.layers()?;
        layers.resize(blocks.max(layers.len()), LayerBytes::default());
        Ok(Self {
            dense: layers.iter().map(|layer| layer.rest).collect(),
            routed: layers.iter().map(|layer| layer.experts).collect(),
            embedding: weights.input()?,
            output: weights.output()?.plus(weights.beside()?)?,
            tied_head: weights.tied_head()?,
            mtp: weights.mtp_layers()?,
            checkpoint: Some(weights.checkpoint()?.plus(weights.beside()?)?),
            active: Some(weights.active()?),
            applied: Some(weights.applied),
            doubt: weights.error()?,
            basis: weights.basis,
            by_part: true,
        })
    }

    /// All of the trunk and what is around it, each once.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn total(&self) -> Result<Bytes, Overflow> {
        let parts = self.dense.iter().chain(&self.routed).chain([&self.embedding, &self.output]);
        parts.copied().try_fold(Bytes::ZERO, Bytes::plus)
    }
}
