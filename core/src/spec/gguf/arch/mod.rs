//! The architectures of llama.cpp 0c1e57098 (`general.architecture`), one row each: which layers it windows, which it
//! runs recurrently, which rows it keeps, and where it deviates from the ordinary cache.
//!
//! A row is data; `import` reads a file by it and the llama.cpp engine allocates by it. An architecture that is not
//! here is refused by name: to add one, add its row to `table`. Sources: `src/llama-arch.cpp`, `src/models/*.cpp`, `src/llama-hparams.cpp`,
//! `src/llama-model.cpp` (`create_memory`).

mod table;

use table::{ARCHS, BY_STORES};

/// What llama.cpp knows about an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arch {
    /// `general.architecture`.
    pub name: &'static str,
    /// Whether it keeps a cache at all.
    pub memory: Memory,
    /// Sliding windows.
    pub windows: Windows,
    /// Keeps latent rows (no V tensor) when a file has the `*_length_mla` keys.
    pub latent: bool,
    /// Recurrent layers.
    pub recurrent: Option<Recurrent>,
    /// Sparse-attention indexer keys.
    pub indexer: Indexer,
    /// Layers that reuse an earlier layer's cache.
    pub sharing: Sharing,
    /// Layers that exist more often than `block_count` says.
    pub extra: ExtraLayers,
    /// Recurrent states can keep snapshots for rollback (`n_rs_seq`).
    pub rollback: bool,
    /// Flash attention can run.
    pub flash_attn: bool,
    /// The graph aborts unless the physical batch splits evenly over the streams.
    pub even_batch: bool,
    /// A rule of this row was read in the source and not checked against the running engine.
    pub source_only: bool,
}

/// Whether an architecture keeps a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// It does.
    Kept,
    /// An encoder: one pass, no cache.
    Encoder,
    /// A diffusion model: whole sequences, no cache in llama.cpp.
    Diffusion,
}

/// Sliding windows of an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// `attention.sliding_window` is not read: every layer is cached in full.
    Ignored {
        /// Published models of this architecture that have a window have it on every layer.
        on_every_layer: bool,
    },
    /// Some layers attend over a window and go into a cache of their own.
    Layers {
        /// Which.
        pattern: Pattern,
        /// How wide.
        width: Width,
        /// The window is a chunk: nothing before its start is visible.
        chunked: bool,
        /// Only in a model of exactly this many layers.
        only_layers: Option<u64>,
    },
}

/// Which layers are windowed where `attention.sliding_window_pattern` holds no array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Every `period`-th layer is dense; a scalar in the file replaces the period. 0: all windowed, 1: none.
    Every {
        /// Default period.
        period: u64,
        /// The dense layer opens the period instead of closing it.
        dense_first: bool,
    },
    /// The file must carry the array.
    Array,
    /// Every attention layer, array or not.
    All,
}

/// How wide windows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// The key is required.
    Required,
    /// The key; absent or 0: no windows.
    Optional,
    /// The key, or this where it is absent.
    Default(u64),
    /// This, whatever the key says; 0 in the key: no windows.
    Forced(u64),
    /// This where the key is positive; absent or 0: no windows.
    ForcedIfSet(u64),
}

/// Recurrent layers of an architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recurrent {
    /// Which.
    pub layers: RecurrentLayers,
    /// What they keep.
    pub state: State,
}

/// Which layers are recurrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecurrentLayers {
    /// All.
    All,
    /// Those without KV heads.
    WithoutKvHeads,
    /// Those with neither KV heads nor a feed-forward; a layer with a feed-forward keeps nothing.
    WithoutKvHeadsOrFeedForward,
    /// Every layer, beside its attention.
    Beside,
    /// `attention.recurrent_layers`, or all but every `full_attention_interval`-th, by default this.
    Interval(u64),
}

/// What a recurrent layer keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// RWKV: shifted tokens and one matrix per head.
    Rwkv,
    /// LFM2's short convolution.
    ShortConv,
    /// Kimi delta attention.
    Kda,
    /// Lightning attention.
    Lightning,
    /// Mamba-1 or Mamba-2, by `ssm.group_count`.
    Mamba,
    /// Gated delta network.
    DeltaNet,
}

/// Which layers keep indexer keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexer {
    /// None.
    None,
    /// Every layer.
    Every,
    /// Those whose `attention.indexer.types` is 1; every layer where the key is absent.
    Typed,
    /// Those after the leading dense ones, in a cache that has a V tensor of `value_length` too.
    AfterDense,
    /// Every attention layer; with pooling (`attention.indexer.kpool`) a row is three keys wide.
    Pooled,
    /// DeepSeek-V4: layers that compress by 4, one key per compressed entry.
    Compressed,
}

/// Which layers reuse an earlier layer's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// None.
    None,
    /// All from this layer on, whatever the file says.
    From(u64),
    /// The last `attention.shared_kv_layers`.
    Key,
}

/// Layers beyond `block_count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExtraLayers {
    /// None.
    None,
    /// Layers run `num_loops` times, each pass with a cache of its own.
    Loops,
    /// A router layer with one KV head.
    Router,
}

impl Arch {
    /// The architecture llama.cpp calls `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let row = ARCHS.binary_search_by(|arch| arch.name.cmp(name)).ok()?;
        ARCHS.get(row)
    }

    /// Every architecture, by name.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        ARCHS
    }

    /// A model without an architecture name, planned by what its layers say.
    #[must_use]
    pub const fn by_stores() -> &'static Self {
        BY_STORES
    }

    /// Whether windows are kept as windows in a model of `layers` layers.
    #[must_use]
    pub const fn honours_windows(&self, layers: u64) -> bool {
        match self.windows {
            Windows::Ignored { .. } => false,
            Windows::Layers { only_layers: None, .. } => true,
            Windows::Layers { only_layers: Some(only), .. } => only == layers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_so_that_every_one_is_found() {
        for arch in Arch::all() {
            assert_eq!(Arch::find(arch.name), Some(arch), "{}", arch.name);
        }
        assert_eq!(Arch::find("gpt-5"), None);
    }

    #[test]
    fn only_the_32b_of_exaone4_has_windows() {
        let exaone4 = Arch::find("exaone4").unwrap();
        assert!(exaone4.honours_windows(64) && !exaone4.honours_windows(30));
    }
}
