//! A mixer's dimensions by name: none may be zero, and none too large to count with.

use super::layer::Mixer;
use crate::error::PlanError;

impl Mixer {
    /// Its largest dimension.
    pub(super) fn largest(&self) -> u64 {
        let beside = if let Self::Mla(a) = self { a.rope_dim.max(a.nope_dim.unwrap_or(0)) } else { 0 };
        self.dims().into_iter().map(|(_, n)| n).fold(beside, u64::max)
    }

    /// Every dimension a store depends on is positive.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        match self.dims().into_iter().find(|(_, n)| *n == 0) {
            Some((field, _)) => {
                Err(PlanError::invalid(field, format!("`{field}` must be positive")).with_value(0))
            }
            None => Ok(()),
        }
    }

    /// The dimensions a store depends on, by name.
    fn dims(&self) -> Vec<(&'static str, u64)> {
        let named: &[(&'static str, u64)] = match self {
            Self::Full(a) => &[
                ("kv_heads", a.kv_heads),
                ("k_dim", a.k_dim),
                ("v_dim", a.v_dim),
                ("indexer_dim", a.indexer_dim.unwrap_or(1)),
            ],
            Self::Window(a) => {
                &[("kv_heads", a.kv_heads), ("k_dim", a.k_dim), ("v_dim", a.v_dim), ("window", a.window)]
            }
            Self::Chunk(a) => {
                &[("kv_heads", a.kv_heads), ("k_dim", a.k_dim), ("v_dim", a.v_dim), ("chunk", a.chunk)]
            }
            Self::Mla(a) => &[
                ("latent_dim", a.latent_dim),
                ("indexer_dim", a.indexer_dim.unwrap_or(1)),
                ("indexer_stride", a.indexer_stride.unwrap_or(1)),
                ("heads", a.heads.unwrap_or(1)),
                ("v_dim", a.v_dim.unwrap_or(1)),
            ],
            Self::Compressed(a) => {
                &[("dim", a.dim), ("window", a.window), ("indexer_dim", a.indexer_dim.unwrap_or(1))]
            }
            Self::Mamba1(a) => &[("inner", a.inner), ("state", a.state), ("conv_kernel", a.conv_kernel)],
            Self::Mamba2(a) => &[
                ("heads", a.heads),
                ("head_dim", a.head_dim),
                ("groups", a.groups),
                ("state", a.state),
                ("conv_kernel", a.conv_kernel),
            ],
            Self::GatedDelta(a) => &[
                ("k_heads", a.k_heads),
                ("k_dim", a.k_dim),
                ("v_heads", a.v_heads),
                ("v_dim", a.v_dim),
                ("conv_kernel", a.conv_kernel),
            ],
            Self::Kda(a) => &[("heads", a.heads), ("head_dim", a.head_dim), ("conv_kernel", a.conv_kernel)],
            Self::Lightning(a) => &[("heads", a.heads), ("head_dim", a.head_dim)],
            Self::ShortConv(a) => &[("width", a.width), ("conv_kernel", a.conv_kernel)],
            Self::Rwkv(a) => &[("hidden", a.hidden), ("head_size", a.head_size)],
            Self::RgLru(a) => &[("width", a.width), ("conv_kernel", a.conv_kernel)],
            Self::Mlstm(a) => &[("heads", a.heads), ("qk_dim", a.qk_dim), ("v_dim", a.v_dim)],
            Self::Cross(a) => &[("kv_heads", a.kv_heads), ("k_dim", a.k_dim), ("v_dim", a.v_dim)],
            Self::Shared(a) => &[("window", a.window.unwrap_or(1))],
        };
        named.to_vec()
    }
}
