//! The architectures of llama.cpp 0c1e57098 (`general.architecture`), one row each: which layers it windows, which it
//! runs recurrently, which rows it keeps, and where it deviates from the ordinary cache.
//!
//! A row is data; `import` reads a file by it and the llama.cpp engine allocates by it. An architecture that is not
//! here is refused by name. Sources: `src/llama-arch.cpp`, `src/models/*.cpp`, `src/llama-hparams.cpp`,
//! `src/llama-model.cpp` (`create_memory`).

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

    const fn latent(self) -> Self {
        Self { latent: true, ..self }
    }

    const fn indexed(self, indexer: Indexer) -> Self {
        Self { indexer, ..self }
    }

    const fn sharing(self, sharing: Sharing) -> Self {
        Self { sharing, ..self }
    }

    const fn rollback(self) -> Self {
        Self { rollback: true, ..self }
    }

    const fn even_batch(self) -> Self {
        Self { even_batch: true, ..self }
    }

    const fn with(self, layers: RecurrentLayers, state: State) -> Self {
        Self { recurrent: Some(Recurrent { layers, state }), ..self }
    }

    const fn unchecked(self) -> Self {
        Self { source_only: true, ..self }
    }
}

/// Full attention, every token of every layer.
const fn plain(name: &'static str) -> Arch {
    Arch {
        name,
        memory: Memory::Kept,
        windows: Windows::Ignored { on_every_layer: false },
        latent: false,
        recurrent: None,
        indexer: Indexer::None,
        sharing: Sharing::None,
        extra: ExtraLayers::None,
        rollback: false,
        flash_attn: true,
        even_batch: false,
        source_only: false,
    }
}

/// Full attention although the published models have a window on every layer.
const fn unwindowed(name: &'static str) -> Arch {
    Arch { windows: Windows::Ignored { on_every_layer: true }, ..plain(name) }
}

const fn encoder(name: &'static str) -> Arch {
    Arch { memory: Memory::Encoder, ..plain(name) }
}

const fn diffusion(name: &'static str) -> Arch {
    Arch { memory: Memory::Diffusion, ..plain(name) }
}

const fn windowed(name: &'static str, pattern: Pattern, width: Width) -> Arch {
    Arch { windows: Windows::Layers { pattern, width, chunked: false, only_layers: None }, ..plain(name) }
}

/// Every `period`-th layer dense, the last of each period.
const fn every(name: &'static str, period: u64, width: Width) -> Arch {
    windowed(name, Pattern::Every { period, dense_first: false }, width)
}

/// Every `period`-th layer dense, the first of each period.
const fn dense_first(name: &'static str, period: u64, width: Width) -> Arch {
    windowed(name, Pattern::Every { period, dense_first: true }, width)
}

const fn array(name: &'static str) -> Arch {
    windowed(name, Pattern::Array, Width::Required)
}

const fn recurrent(name: &'static str, layers: RecurrentLayers, state: State) -> Arch {
    plain(name).with(layers, state)
}

use Indexer::{AfterDense, Compressed, Every, Pooled, Typed};
use RecurrentLayers::{All, Beside, Interval, WithoutKvHeads, WithoutKvHeadsOrFeedForward};
use State::{DeltaNet, Kda, Lightning, Mamba, Rwkv, ShortConv};

const BY_STORES: &Arch =
    &Arch { latent: true, indexer: Indexer::Every, ..windowed("", Pattern::All, Width::Required) };

const ARCHS: &[Arch] = &[
    every("afmoe", 4, Width::Optional),
    plain("apertus"),
    plain("arcee"),
    plain("arctic"),
    recurrent("arwkv7", All, Rwkv),
    plain("baichuan"),
    plain("bailingmoe"),
    plain("bailingmoe2"),
    recurrent("bailingmoe3", WithoutKvHeads, Kda).latent().rollback(),
    encoder("bert"),
    plain("bitnet"),
    plain("bloom"),
    plain("chameleon"),
    plain("chatglm"),
    plain("codeshell"),
    plain("cogvlm"),
    every("cohere2", 4, Width::Required),
    dense_first("cohere2moe", 4, Width::Required),
    plain("command-r"),
    plain("dbrx"),
    plain("deci"),
    plain("deepseek"),
    plain("deepseek2").latent(),
    plain("deepseek2-ocr"),
    plain("deepseek32").latent().indexed(Every),
    windowed("deepseek4", Pattern::All, Width::Required).indexed(Compressed).rollback(),
    array("dflash"),
    plain("dots1"),
    array("dots3note").latent().indexed(Typed).unchecked(),
    diffusion("dream"),
    plain("eagle3"),
    plain("ernie4_5"),
    plain("ernie4_5-moe"),
    encoder("eurobert"),
    plain("exaone"),
    every("exaone-moe", 4, Width::Required),
    Arch {
        windows: Windows::Layers {
            pattern: Pattern::Every { period: 4, dense_first: false },
            width: Width::Default(4096),
            chunked: false,
            only_layers: Some(64),
        },
        ..plain("exaone4")
    },
    plain("falcon"),
    recurrent("falcon-h1", Beside, Mamba),
    plain("gemma"),
    encoder("gemma-embedding"),
    every("gemma2", 2, Width::Default(4096)),
    every("gemma3", 6, Width::Optional),
    every("gemma3n", 5, Width::Required).sharing(Sharing::From(20)),
    array("gemma4").sharing(Sharing::Key),
    array("gemma4-assistant").sharing(Sharing::Key),
    plain("glm-dsa").latent().indexed(Typed),
    plain("glm4"),
    plain("glm4moe"),
    recurrent("glm5-next", WithoutKvHeads, Kda).latent().indexed(Pooled).rollback().unchecked(),
    every("gpt-oss", 2, Width::Required),
    plain("gpt2"),
    plain("gptj"),
    plain("gptneox"),
    plain("granite"),
    array("granite_swa"),
    recurrent("granitehybrid", WithoutKvHeads, Mamba),
    plain("granitemoe"),
    Arch { extra: ExtraLayers::Router, ..plain("graniteswitch") }.unchecked(),
    Arch { flash_attn: false, ..plain("grok") },
    plain("grovemoe"),
    plain("hrm_text"),
    plain("hunyuan-dense"),
    plain("hunyuan-moe"),
    plain("hunyuan_vl"),
    plain("hy_v3"),
    plain("hy_v4").latent().indexed(Typed).unchecked(),
    plain("internlm2"),
    plain("jais"),
    plain("jais2"),
    recurrent("jamba", WithoutKvHeads, Mamba),
    encoder("jina-bert-v2"),
    encoder("jina-bert-v3"),
    recurrent("kimi-k3", WithoutKvHeads, Kda).latent().rollback(),
    recurrent("kimi-linear", WithoutKvHeads, Kda).latent().even_batch(),
    dense_first("laguna", 4, Width::Optional),
    windowed("lfm2", Pattern::All, Width::Optional).with(WithoutKvHeads, ShortConv).rollback(),
    recurrent("lfm2moe", WithoutKvHeads, ShortConv).rollback(),
    diffusion("llada"),
    diffusion("llada-moe"),
    unwindowed("llama"),
    plain("llama-embed"),
    Arch {
        windows: Windows::Layers {
            pattern: Pattern::Every { period: 4, dense_first: false },
            width: Width::Forced(8192),
            chunked: true,
            only_layers: None,
        },
        ..plain("llama4")
    },
    plain("maincoder"),
    recurrent("mamba", All, Mamba),
    recurrent("mamba2", All, Mamba),
    array("maple"),
    every("mellum", 4, Width::Optional),
    array("mimo2"),
    plain("minicpm"),
    plain("minicpm3"),
    recurrent("minimax-01", Interval(8), Lightning).even_batch(),
    plain("minimax-m2"),
    plain("minimax-m3").indexed(AfterDense),
    unwindowed("mistral3"),
    plain("mistral4").latent(),
    encoder("modern-bert"),
    plain("mpt"),
    every("muse-glimmer", 4, Width::Required),
    Arch { extra: ExtraLayers::Loops, ..plain("nanbeige") },
    plain("nemotron"),
    recurrent("nemotron_h", WithoutKvHeadsOrFeedForward, Mamba).rollback(),
    recurrent("nemotron_h_moe", WithoutKvHeadsOrFeedForward, Mamba).rollback(),
    encoder("neo-bert"),
    encoder("nomic-bert"),
    encoder("nomic-bert-moe"),
    plain("olmo"),
    every("olmo2", 4, Width::Optional),
    plain("olmoe"),
    plain("openelm"),
    plain("orion"),
    plain("paddleocr"),
    plain("pangu-embedded"),
    plain("phi2"),
    unwindowed("phi3"),
    unwindowed("phimoe"),
    plain("plamo"),
    recurrent("plamo2", WithoutKvHeads, Mamba),
    every("plamo3", 8, Width::Optional),
    plain("plm"),
    plain("qwen"),
    plain("qwen2"),
    plain("qwen2moe"),
    plain("qwen2vl"),
    plain("qwen3"),
    recurrent("qwen35", Interval(4), DeltaNet).rollback(),
    recurrent("qwen35moe", Interval(4), DeltaNet).rollback(),
    plain("qwen3moe"),
    recurrent("qwen3next", Interval(4), DeltaNet),
    plain("qwen3vl"),
    plain("qwen3vlmoe"),
    plain("refact"),
    diffusion("rnd1"),
    recurrent("rwkv6", All, Rwkv),
    recurrent("rwkv6qwen2", All, Rwkv),
    recurrent("rwkv7", All, Rwkv),
    plain("seed_oss"),
    dense_first("smallthinker", 4, Width::ForcedIfSet(4096)),
    plain("smollm3"),
    array("spark2_5"),
    plain("stablelm"),
    plain("starcoder"),
    unwindowed("starcoder2"),
    array("step35"),
    plain("t5"),
    plain("t5encoder"),
    plain("talkie"),
    encoder("wavtokenizer-dec"),
    plain("xverse"),
];

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
