//! Attention layers on one rank: the backend each gets, the bytes of a token, the specs vLLM makes of them.

use super::backend::{Backend, Wanted, select};
use super::block_size::{self, Blocks};
use super::deepseek_v4;
use super::dtype::KvCacheDtype;
use super::options::Setup;
use super::spec::{Class, Local, Part, Spec};
use crate::cache::{self, Keeps, Knob, Reach, Retention, Role};
use crate::codec::{Codec, Side};
use crate::engine::codec_error;
use crate::error::PlanError;
use crate::spec::layer::Cross;
use crate::spec::{Mixer, layer};
use crate::unit::Overflow;

/// A mixer with an attention cache.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attention<'a> {
    /// Separate keys and values.
    Heads(Heads),
    /// One latent row a token.
    Latent(&'a layer::Mla),
    /// DeepSeek-V4's entries.
    Compressed(&'a layer::Compressed),
}

/// Separate keys and values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heads {
    pub kv_heads: u64,
    pub k_dim: u64,
    pub v_dim: u64,
    pub scope: Scope,
    /// Width of a sparse-attention indexer's key.
    pub indexer_dim: Option<u64>,
}

/// Which tokens a layer attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    Window(u64),
    Chunk(u64),
    Encoder,
}

impl<'a> Attention<'a> {
    /// The attention of a mixer; `None` for states and for layers that borrow another's cache.
    pub(super) fn of(mixer: &'a Mixer) -> Option<Self> {
        match mixer.keeps() {
            Keeps::Heads(a) => {
                let scope = match a.reach {
                    Reach::All => Scope::All,
                    Reach::Window(tokens) => Scope::Window(tokens),
                    Reach::Chunk(tokens) => Scope::Chunk(tokens),
                };
                let cache::Heads { kv_heads, k_dim, v_dim, indexer_dim, reach: _ } = a;
                Some(Self::Heads(Heads { kv_heads, k_dim, v_dim, scope, indexer_dim }))
            }
            Keeps::Encoder(&Cross { kv_heads, k_dim, v_dim }) => {
                let scope = Scope::Encoder;
                Some(Self::Heads(Heads { kv_heads, k_dim, v_dim, scope, indexer_dim: None }))
            }
            Keeps::Latent(a) => Some(Self::Latent(a)),
            Keeps::Compressed(a) => Some(Self::Compressed(a)),
            Keeps::State | Keeps::Borrowed(_) => None,
        }
    }

    /// The backend of the index keys beside this layer, where it has any.
    pub(super) const fn indexer(&self) -> Option<Backend> {
        match self {
            Self::Heads(Heads { indexer_dim: Some(_), .. }) => Some(Backend::BlockSparse),
            Self::Latent(layer::Mla { indexer_dim: Some(_), .. }) => Some(Backend::Indexer),
            Self::Heads(_) | Self::Latent(_) | Self::Compressed(_) => None,
        }
    }

    /// Elements of a key or of a row.
    const fn head_size(&self) -> u64 {
        match self {
            Self::Heads(a) => a.k_dim,
            Self::Latent(a) => a.latent_dim.saturating_add(a.rope_dim),
            Self::Compressed(a) => a.dim,
        }
    }

    /// The widest head of a model's layers with separate keys and values.
    pub(super) fn widest<'m>(mixers: impl Iterator<Item = &'m Mixer>) -> u64 {
        let width = |mixer: &'m Mixer| match Attention::of(mixer) {
            Some(Attention::Heads(a)) => a.k_dim,
            Some(Attention::Latent(_) | Attention::Compressed(_)) | None => 0,
        };
        mixers.map(width).max().unwrap_or(0)
    }

    /// The backend vLLM gives this layer.
    ///
    /// # Errors
    /// `engine-refuses` where it finds none.
    pub(super) fn backend(&self, setup: &Setup<'_>, dtype: KvCacheDtype) -> Result<Backend, PlanError> {
        let common = Wanted {
            head_size: self.head_size(),
            square: true,
            mla: false,
            sparse: false,
            nope_dim: None,
            sink: setup.is_family(&["gpt_oss"]),
            window: false,
            dtype,
            dcp: setup.dcp > 1,
            block_size: setup.options.block_size,
        };
        let wanted = match self {
            Self::Compressed(_) => return Ok(Backend::DeepseekV4),
            // A merged projection (v_dim 0) is a hypothesis; it keeps the backend of the real model.
            Self::Heads(a) => Wanted {
                square: a.k_dim == a.v_dim || a.v_dim == 0,
                window: matches!(a.scope, Scope::Window(_)),
                ..common
            },
            Self::Latent(a) => Wanted { mla: true, sparse: a.is_sparse(), nope_dim: a.nope_dim, ..common },
        };
        select(setup.options.platform, &wanted).ok_or_else(|| no_backend(setup, &wanted))
    }

    /// Bytes one token takes on this rank, index keys aside.
    pub(super) fn token(&self, setup: &Setup<'_>, dtype: KvCacheDtype) -> Result<u64, PlanError> {
        let bytes = self.parts(setup, dtype)?.iter().map(|p| p.held).try_fold(0u64, u64::checked_add);
        bytes.ok_or_else(|| Overflow.into())
    }

    /// The stores of a token on this rank, index keys aside.
    fn parts(&self, setup: &Setup<'_>, dtype: KvCacheDtype) -> Result<Vec<Part>, PlanError> {
        let a = match self {
            Self::Compressed(_) => return Ok(Vec::new()),
            Self::Latent(a) => {
                let dim = a.latent_dim.checked_add(a.rope_dim).ok_or(Overflow)?;
                let codec = codec_of(setup, self.kept_as(setup, dtype)?)?;
                let entry = vector(codec, Side::Key, dim)?;
                let (cache, role, retention) = ("mla", Role::Latent, Retention::All);
                return Ok(vec![Part { cache, role, heads: 1, dim, retention, codec, entry, held: entry }]);
            }
            Self::Heads(a) => a,
        };
        let (cache, retention) = match a.scope {
            Scope::All => ("full", Retention::All),
            Scope::Window(w) => ("window", Retention::Window(w)),
            Scope::Chunk(c) => ("chunk", Retention::Chunk(c)),
            Scope::Encoder => ("cross", Retention::Encoder),
        };
        let roles = match a.scope {
            Scope::Encoder => [Role::CrossK, Role::CrossV],
            Scope::All | Scope::Window(_) | Scope::Chunk(_) => [Role::K, Role::V],
        };
        let heads = setup.heads_per_rank(a.kv_heads)?;
        let codec = codec_of(setup, dtype)?;
        let mut parts = Vec::with_capacity(2);
        for (role, dim) in roles.into_iter().zip([a.k_dim, a.v_dim]).filter(|(_, dim)| *dim > 0) {
            let entry = vector(codec, role.side(), dim)?.checked_mul(heads).ok_or(Overflow)?;
            parts.push(Part { cache, role, heads, dim, retention, codec, entry, held: entry });
        }
        Ok(parts)
    }

    /// A sparse backend may keep another format than the one asked for: FlashMLA's is DeepSeek's packed row.
    fn kept_as(&self, setup: &Setup<'_>, dtype: KvCacheDtype) -> Result<KvCacheDtype, PlanError> {
        let backend = self.backend(setup, dtype)?;
        let packs =
            (backend == Backend::FlashMlaSparse && !dtype.is_plain() && dtype != KvCacheDtype::Nvfp4DsMla)
                || backend == Backend::FlashInferMlaSparseSm120;
        Ok(if packs { KvCacheDtype::Fp8DsMla } else { dtype })
    }

    /// The specs of the layer: its own, and its index keys'.
    pub(super) fn specs(
        &self,
        setup: &Setup<'_>,
        blocks: &Blocks,
        dtype: KvCacheDtype,
    ) -> Result<Vec<Spec>, PlanError> {
        let parts = self.parts(setup, dtype)?;
        let plain = |class, parts| Spec {
            class,
            block_size: blocks.size,
            tokens_per_state: 1,
            align: 1,
            padded: None,
            parts,
        };
        match self {
            Self::Compressed(a) => deepseek_v4::specs(setup, a, blocks.size),
            Self::Latent(a) => {
                let mut specs = vec![plain(Class::Mla, parts)];
                if let Some(dim) = a.indexer_dim {
                    // FP8 elements and an f32 scale per 128.
                    let (codec, law) = (Codec::Fp8Block128, Retention::All);
                    let entry = vector(codec, Side::Key, dim)?;
                    specs.push(plain(Class::Mla, vec![index_part(dim, codec, entry, law)]));
                }
                Ok(specs)
            }
            Self::Heads(a) => {
                let own = match a.scope {
                    Scope::All => plain(Class::Full(Local::All), parts),
                    Scope::Chunk(chunk) => plain(Class::Chunk { chunk }, parts),
                    Scope::Encoder => plain(Class::Cross, parts),
                    Scope::Window(window) => {
                        let backend = self.backend(setup, dtype)?;
                        let block_size =
                            block_size::window_block(backend, self.token(setup, dtype)?, blocks)?;
                        let spec = plain(Class::Window { window }, parts);
                        Spec { block_size, padded: blocks.window_page, ..spec }
                    }
                };
                let mut specs = vec![own];
                if let Some(dim) = a.indexer_dim {
                    let entry = vector(Codec::Bf16, Side::Key, dim)?;
                    specs.push(plain(Class::Mla, vec![index_part(dim, Codec::Bf16, entry, Retention::All)]));
                }
                Ok(specs)
            }
        }
    }
}

fn no_backend(setup: &Setup<'_>, wanted: &Wanted) -> PlanError {
    let block = wanted.block_size.map_or_else(String::new, |b| format!(", block_size={b}"));
    let message = format!(
        "No valid attention backend found for cuda with head_size={}, kv_cache_dtype={}, use_mla={}, has_sink={}, \
         use_sparse={}, has_sliding_window={}{block} on {}",
        wanted.head_size,
        wanted.dtype.as_str(),
        wanted.mla,
        wanted.sink,
        wanted.sparse,
        wanted.window,
        setup.options.platform.as_str()
    );
    PlanError::refused("engine.kv_cache_dtype", message).with_value(wanted.dtype.as_str())
}

/// Bytes of one vector under a codec.
fn vector(codec: Codec, side: Side, dim: u64) -> Result<u64, PlanError> {
    let knob = match side {
        Side::Key => Knob::K,
        Side::Value => Knob::V,
    };
    Ok(codec.row_bytes(side, 1, dim).map_err(|e| codec_error(knob, codec, &e))?.get())
}

fn codec_of(setup: &Setup<'_>, dtype: KvCacheDtype) -> Result<Codec, PlanError> {
    dtype.codec(setup.dtype).ok_or_else(|| {
        let dtype = dtype.as_str();
        let message = format!("No valid attention backend found for cuda with kv_cache_dtype={dtype}");
        PlanError::refused("engine.kv_cache_dtype", message).with_value(dtype)
    })
}

/// Keys of a sparse-attention indexer.
pub(super) const fn index_part(dim: u64, codec: Codec, entry: u64, retention: Retention) -> Part {
    Part { cache: "indexer", role: Role::Indexer, heads: 1, dim, retention, codec, entry, held: entry }
}
