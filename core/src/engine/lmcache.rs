//! LMCache 0.5.6: the arithmetic of its chunks, a tier behind an engine's own cache and not an engine.
//!
//! A chunk is the keys and values of `chunk_size` tokens in all layers of one worker rank, one object of the local CPU
//! tier; objects are aligned to 4096 bytes. A last, partial chunk is stored only with `save_unfull_chunk`.

use crate::codec::{Codec, Side};
use crate::error::PlanError;
use crate::explain::Rule;
use crate::spec::{Mixer, ModelSpec};
use crate::unit::{Bytes, Overflow, Tokens};

/// The version whose arithmetic this is.
pub const VERSION: &str = "0.5.6";

/// Tokens per chunk, where nothing else is asked for.
pub const DEFAULT_CHUNK_SIZE: u64 = 256;

/// Bytes the allocator rounds every object up to.
const ALIGN: u64 = 4096;

/// Why a chunk takes what it takes.
pub static CHUNKS: Rule = Rule {
    id: "lmcache/chunks",
    says: "keys and values of chunk_size tokens in all layers of a rank, aligned to 4096 bytes",
    source: "LMCache 0.5.6 v1/metadata.py get_shapes, v1/memory_management.py AddressManager",
};

/// A chunk of one worker rank: `[kv_size, layers, tokens, width]` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// 2 for keys and values, 1 for latent rows.
    pub kv_size: u64,
    /// Layers.
    pub layers: u64,
    /// Tokens.
    pub tokens: u64,
    /// Elements of one token's keys (or values, or latent row) on this rank.
    pub width: u64,
    /// Bytes per element.
    pub element: Bytes,
}

impl Chunk {
    /// The chunk of one of `tp` ranks, for a model whose layers are all alike. Heads are shared out and repeated where
    /// there are fewer of them than ranks; latent rows are whole on every rank.
    ///
    /// # Errors
    /// `unsupported` for layers of several kinds or without keys, `invalid` for a codec with more than elements.
    pub fn of(model: &ModelSpec, tp: u64, codec: Codec, tokens: u64) -> Result<Self, PlanError> {
        if tp == 0 || tokens == 0 {
            let field = if tp == 0 { "placement.tp" } else { "chunk_size" };
            return Err(PlanError::invalid(field, "at least 1").with_value(0));
        }
        let plain = [Codec::F32, Codec::F16, Codec::Bf16, Codec::Fp8E4m3, Codec::Fp8E5m2, Codec::Int8];
        if !plain.contains(&codec) {
            let message = "a chunk holds elements of one type: f32, f16, bf16, fp8 or int8";
            return Err(PlanError::invalid("cache.k", message).with_value(codec.name()));
        }
        let element =
            codec.row_bytes(Side::Key, 1, 1).map_err(|e| PlanError::invalid("cache.k", e.to_string()))?;
        let mut mixers = model.kinds().iter().filter(|k| k.layers() > 0).flat_map(|k| k.mixers());
        let (kv_size, width) = match (mixers.next(), mixers.next()) {
            (Some(Mixer::Full(a)), None) if a.k_dim == a.v_dim && a.indexer_dim.is_none() => {
                (2, (a.kv_heads / tp).max(1).checked_mul(a.k_dim).ok_or(Overflow)?)
            }
            (Some(Mixer::Mla(a)), None) if !a.is_sparse() => {
                (1, a.latent_dim.checked_add(a.rope_dim).ok_or(Overflow)?)
            }
            _ => {
                let message = "LMCache's chunk is modelled for layers of one kind: attention to all tokens, or latent rows";
                return Err(PlanError::unsupported("model", message));
            }
        };
        let layers = u64::try_from(model.layer_count()).map_err(|_| Overflow)?;
        Ok(Self { kv_size, layers, tokens, width, element })
    }

    /// Its shape.
    #[must_use]
    pub const fn shape(&self) -> [u64; 4] {
        [self.kv_size, self.layers, self.tokens, self.width]
    }

    /// Its bytes.
    ///
    /// ```
    /// # use kvplan_core::{engine::lmcache::Chunk, unit::Bytes};
    /// // 256 tokens of Llama-3.1-8B in bf16
    /// let chunk = Chunk { kv_size: 2, layers: 32, tokens: 256, width: 8 * 128, element: Bytes::new(2) };
    /// assert_eq!(chunk.bytes(), Ok(Bytes::new(32 << 20)));
    /// ```
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn bytes(&self) -> Result<Bytes, Overflow> {
        self.shape().into_iter().try_fold(self.element, Bytes::times)
    }

    /// Its bytes as the allocator rounds them up.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn aligned(&self) -> Result<Bytes, Overflow> {
        self.bytes()?.round_up(ALIGN)
    }

    /// Whole chunks in a tier of `capacity` bytes (`max_local_cpu_size` is in GiB, per worker), and their tokens.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn held(&self, capacity: Bytes) -> Result<(u64, Tokens), Overflow> {
        let chunks = capacity.get().checked_div(self.aligned()?.get()).unwrap_or(0);
        Ok((chunks, Tokens::new(self.tokens).times(chunks)?))
    }
}
