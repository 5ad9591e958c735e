//! Attention rotation: a quantized cache is multiplied by a Hadamard matrix before it is quantized.
//!
//! The cache's bytes stay the same; what the rows hold, and so their error, does not.

use super::types::CacheType;
use schemars::JsonSchema;
use serde::Serialize;

/// Head widths that can be rotated are multiples of this.
const STEP: u64 = 64;

/// Whether a cache's rows are rotated (`attn_rot_k`, `attn_rot_v` of its log lines).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RotationReport {
    /// The cache, as in `caches`.
    pub cache: &'static str,
    /// Keys are.
    pub k: bool,
    /// Values are.
    pub v: bool,
}

/// The head width all layers of a cache agree on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum HeadWidth {
    /// No layer yet.
    #[default]
    None,
    /// All layers so far.
    All(u64),
    /// Layers differ: nothing is rotated.
    Mixed,
}

impl HeadWidth {
    /// One more kind of layer.
    pub(super) const fn and(self, dim: u64) -> Self {
        match self {
            Self::None => Self::All(dim),
            Self::All(known) if known == dim => self,
            Self::All(_) | Self::Mixed => Self::Mixed,
        }
    }

    /// Whether rows of this width in this type are rotated.
    pub(super) const fn rotated(self, ty: CacheType) -> bool {
        match self {
            Self::All(dim) => dim > 0 && dim.is_multiple_of(STEP) && ty.is_quantized(),
            Self::None | Self::Mixed => false,
        }
    }
}
