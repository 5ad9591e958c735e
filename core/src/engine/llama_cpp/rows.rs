//! What a mixer's K and V rows look like to llama.cpp.

use crate::cache::Retention;
use crate::error::PlanError;
use crate::spec::gguf::Arch;
use crate::spec::gguf::arch::{Indexer, Memory, RecurrentLayers};
use crate::spec::{Mixer, ModelSpec};

/// Vectors × elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) heads: u64,
    pub(super) dim: u64,
}

impl Row {
    pub(super) fn width(self) -> Result<u64, PlanError> {
        Ok(self.heads.checked_mul(self.dim).ok_or(crate::unit::Overflow)?)
    }
}

/// The rows of an attention layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) k: Row,
    /// Absent where K holds the values too.
    pub(super) v: Option<Row>,
    /// The window llama.cpp keeps the layer by.
    pub(super) window: Option<u64>,
    /// What the tokens need of it, as published.
    pub(super) law: Retention,
    /// The row the tokens need, where it is not K and V: latent rows that are cached as plain heads.
    pub(super) needed: Option<Row>,
    /// Value width per head for the block check.
    pub(super) head_v: u64,
    pub(super) indexer: Option<IndexerRow>,
    /// The kind of layer they are of.
    pub(super) kind: u16,
}

/// An indexer key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexerRow {
    /// Elements the tokens need per entry.
    pub(super) dim: u64,
    /// Elements llama.cpp keeps per cell.
    pub(super) kept: u64,
    /// Values beside the key, where the indexer's cache has them.
    pub(super) v: Option<u64>,
    pub(super) law: Retention,
}

/// How llama.cpp reads a model: its architecture's row, or none and the model's own stores.
pub(super) fn arch_of(model: &ModelSpec) -> Result<&'static Arch, PlanError> {
    match (model.llama_cpp_arch(), model.family()) {
        (Some(name), _) => Arch::find(name).ok_or_else(|| {
            let message = format!("llama.cpp 0c1e57098 has no architecture `{name}` that is modelled");
            PlanError::unsupported("model", message).with_value(name)
        }),
        (None, Some(family)) => {
            let message = format!("llama.cpp 0c1e57098 has no architecture for `{family}` models");
            Err(PlanError::unsupported("model", message).with_value(family))
        }
        (None, None) => Ok(Arch::by_stores()),
    }
}

/// Whether an empty layer of this architecture is an attention layer without KV heads: it has zero-width tensors.
pub(super) fn counts_empty_layers(arch: &Arch) -> bool {
    !arch.name.is_empty()
        && arch.memory == Memory::Kept
        && !arch.recurrent.is_some_and(|r| match r.layers {
            RecurrentLayers::All | RecurrentLayers::WithoutKvHeadsOrFeedForward => true,
            RecurrentLayers::WithoutKvHeads | RecurrentLayers::Beside | RecurrentLayers::Interval(_) => false,
        })
}

/// The rows of `mixer` of a layer of the kind of that index, or `None` where it keeps none in an attention cache.
pub(super) fn rows_of(
    kind: u16,
    mixer: &Mixer,
    arch: &Arch,
    windows: bool,
) -> Result<Option<Rows>, PlanError> {
    let heads = |heads: u64, k_dim: u64, v_dim: u64, law: Retention, window: Option<u64>| Rows {
        k: Row { heads, dim: k_dim },
        // A merged projection keeps one tensor.
        v: (v_dim > 0).then_some(Row { heads, dim: v_dim }),
        window: window.filter(|_| windows),
        law,
        needed: None,
        head_v: v_dim,
        indexer: None,
        kind,
    };
    let unsupported = |kind: &str| {
        let message = format!("llama.cpp has no cache for {kind} layers");
        Err(PlanError::unsupported("model", message).with_value(kind))
    };
    Ok(Some(match mixer {
        Mixer::Full(a) => {
            let values = match arch.indexer {
                Indexer::AfterDense => Some(a.v_dim).filter(|dim| *dim > 0),
                Indexer::None | Indexer::Every | Indexer::Typed | Indexer::Pooled | Indexer::Compressed => {
                    None
                }
            };
            let indexer =
                a.indexer_dim.map(|dim| IndexerRow { dim, kept: dim, v: values, law: Retention::All });
            Rows { indexer, ..heads(a.kv_heads, a.k_dim, a.v_dim, Retention::All, None) }
        }
        Mixer::Window(a) => heads(a.kv_heads, a.k_dim, a.v_dim, Retention::Window(a.window), Some(a.window)),
        Mixer::Chunk(a) => heads(a.kv_heads, a.k_dim, a.v_dim, Retention::Chunk(a.chunk), Some(a.chunk)),
        Mixer::Mla(a) => {
            let row =
                Row { heads: 1, dim: a.latent_dim.checked_add(a.rope_dim).ok_or(crate::unit::Overflow)? };
            if arch.latent {
                let stride = a.indexer_stride.filter(|stride| *stride > 1);
                let indexer = a.indexer_dim.map(|dim| IndexerRow {
                    dim,
                    // Pooled keys are kept beside the two running parts they are pooled from.
                    kept: if a.indexer_stride.is_some() && arch.indexer == Indexer::Pooled {
                        dim.saturating_mul(3)
                    } else {
                        dim
                    },
                    v: None,
                    law: stride.map_or(Retention::All, Retention::Strided),
                });
                Rows {
                    k: row,
                    v: None,
                    window: None,
                    law: Retention::All,
                    needed: None,
                    head_v: a.latent_dim,
                    indexer,
                    kind,
                }
            } else {
                let (Some(count), Some(nope), Some(v_dim)) = (a.heads, a.nope_dim, a.v_dim) else {
                    let message = format!(
                        "llama.cpp caches {} as plain heads: heads, nope_dim and v_dim are needed",
                        arch.name
                    );
                    return Err(PlanError::missing("model", message));
                };
                let k_dim = nope.checked_add(a.rope_dim).ok_or(crate::unit::Overflow)?;
                Rows { needed: Some(row), ..heads(count, k_dim, v_dim, Retention::All, None) }
            }
        }
        // Fixed states, the encoder's output, and layers that read another's cache.
        Mixer::Compressed(_)
        | Mixer::Mamba1(_)
        | Mixer::Mamba2(_)
        | Mixer::GatedDelta(_)
        | Mixer::Kda(_)
        | Mixer::Lightning(_)
        | Mixer::ShortConv(_)
        | Mixer::Rwkv(_)
        | Mixer::Cross(_)
        | Mixer::Shared(_) => return Ok(None),
        Mixer::RgLru(_) => return unsupported("rg_lru"),
        Mixer::Mlstm(_) => return unsupported("mlstm"),
    }))
}
