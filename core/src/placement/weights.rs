//! Weights by layer, as far as they are known.

use super::layers::portions;
use crate::error::PlanError;
use crate::unit::{Bytes, Overflow};

/// Where a model's weights are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightMap {
    /// Layers in order, trunk first: everything but routed experts.
    pub dense: Vec<Bytes>,
    /// Routed experts of each layer.
    pub routed: Vec<Bytes>,
    /// Token embeddings.
    pub embedding: Bytes,
    /// The output matrix, and what belongs to no layer.
    pub output: Bytes,
    /// How far the whole may be off.
    pub doubt: Bytes,
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
            doubt: Bytes::ZERO,
            by_part: false,
        })
    }

    /// All of them.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn total(&self) -> Result<Bytes, Overflow> {
        let parts = self.dense.iter().chain(&self.routed).chain([&self.embedding, &self.output]);
        parts.copied().try_fold(Bytes::ZERO, Bytes::plus)
    }
}
