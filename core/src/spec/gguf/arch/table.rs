//! The rows: one architecture each, sorted by name.

use super::Indexer::{AfterDense, Compressed, Every, Pooled, Typed};
use super::RecurrentLayers::{All, Beside, Interval, WithoutKvHeads, WithoutKvHeadsOrFeedForward};
use super::State::{DeltaNet, Kda, Lightning, Mamba, Rwkv, ShortConv};
use super::{
    Arch, ExtraLayers, Indexer, Memory, Pattern, Recurrent, RecurrentLayers, Sharing, State, Width, Windows,
};

impl Arch {
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

/// A model without a name: windows kept, latent rows kept, indexers kept.
pub(super) const BY_STORES: &Arch =
    &Arch { latent: true, indexer: Indexer::Every, ..windowed("", Pattern::All, Width::Required) };

/// Every architecture, by name (the order is tested: rows are found by bisection).
pub(super) const ARCHS: &[Arch] = &[
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
