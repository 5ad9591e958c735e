//! The one table from `model_type` to the rule that reads it: a new architecture is a row here, and at most a file.

use super::dense::{Dense, WindowLaw};
use super::dims::{HeadDim, KvHeads, Layers};
use super::fields::Fields;
use super::{
    bailing, cross, deepseek_v4, delta, gemma, legacy, lfm2, llama4, mamba, mimo_v2, minimax, mla, nas,
    recurrent, step,
};
use crate::error::PlanError;

/// A publisher's `model_type`.
pub(super) struct Family {
    pub(super) model_type: &'static str,
    pub(super) rule: Rule,
    /// llama.cpp's `general.architecture`, where llama.cpp has one.
    pub(super) llama_cpp: Option<&'static str>,
    /// Attends in both directions (diffusion).
    pub(super) bidirectional: bool,
    /// What the class says where the file says nothing: trained context and vocabulary.
    pub(super) class: Option<Class>,
}

/// Defaults of a class that the cache does not depend on.
#[derive(Clone, Copy)]
pub(super) struct Class {
    pub(super) name: &'static str,
    pub(super) context: u64,
    pub(super) vocab: u64,
}

pub(super) enum Rule {
    Dense(Dense),
    Own(fn(&Fields<'_>) -> Result<Layers, PlanError>),
    /// A frame around a text config, never a text model itself.
    Frame,
}

impl Family {
    /// By name; a text config follows its base (`apertus_text` is read as `apertus`).
    pub(super) fn find(model_type: &str) -> Option<&'static Self> {
        let exact = |name: &str| FAMILIES.iter().find(|family| family.model_type == name);
        exact(model_type).or_else(|| exact(model_type.strip_suffix("_text")?))
    }

    /// By an entry of `architectures`: `Qwen3MoeForCausalLM` is `qwen3_moe`.
    pub(super) fn of_class(class: &str) -> Option<&'static Self> {
        let stem = ["ForCausalLM", "ForConditionalGeneration", "LMHeadModel"]
            .iter()
            .find_map(|s| class.strip_suffix(s))?;
        let plain = |text: &str| text.replace(['_', '-', '.'], "").to_lowercase();
        let stem = plain(stem);
        FAMILIES.iter().find(|family| plain(family.model_type) == stem)
    }
}

const fn dense(kv: KvHeads, head_dim: HeadDim, window: WindowLaw) -> Rule {
    Rule::Dense(Dense { kv, head_dim, window })
}

const fn row(model_type: &'static str, llama_cpp: &'static str, rule: Rule) -> Family {
    Family { model_type, rule, llama_cpp: Some(llama_cpp), bidirectional: false, class: None }
}

/// A family that llama.cpp does not run, or is not known to.
const fn only(model_type: &'static str, rule: Rule) -> Family {
    Family { model_type, rule, llama_cpp: None, bidirectional: false, class: None }
}

const fn diffusion(mut family: Family) -> Family {
    family.bidirectional = true;
    family
}

const fn with_class(mut family: Family, name: &'static str, context: u64, vocab: u64) -> Family {
    family.class = Some(Class { name, context, vocab });
    family
}

const fn pattern(period: u64, window: u64, class: &'static str) -> WindowLaw {
    WindowLaw::Pattern { period, window, class, nullable: false }
}

use HeadDim::{Default as Dim, Divided, Named as DimNamed};
use KvHeads::{AsHeads, Mha, Named};
use Rule::{Frame, Own};
use WindowLaw::{Never, Switched, WhenSet};

/// Google's own Gemma 3 4B file leaves its head counts to the class.
const GEMMA3_KV: KvHeads = KvHeads::Default(4, "Gemma3TextConfig");
const EXAONE4: WindowLaw =
    WindowLaw::Pattern { period: 4, window: 4096, class: "Exaone4Config", nullable: true };
const OLMO3: WindowLaw = pattern(4, 4096, "Olmo3Config");

#[rustfmt::skip]
static FAMILIES: &[Family] = &[
    // Full attention on every layer.
    row("llama", "llama", dense(AsHeads, Divided, Never)),
    row("granite", "granite", dense(AsHeads, Divided, Never)),
    row("granitemoe", "granitemoe", dense(AsHeads, Divided, Never)),
    row("olmo", "olmo", dense(AsHeads, Divided, Never)),
    row("olmo2", "olmo2", dense(AsHeads, Divided, Never)),
    row("olmoe", "olmoe", dense(AsHeads, Divided, Never)),
    row("smollm3", "smollm3", dense(Named, Divided, Switched)),
    row("seed_oss", "seed_oss", dense(Named, Dim(128, "SeedOssConfig"), Never)),
    row("ernie4_5", "ernie4_5", dense(Named, Dim(128, "Ernie4_5Config"), Never)),
    row("ernie4_5_moe", "ernie4_5-moe", dense(Named, Divided, Never)),
    only("internlm", dense(Mha, Divided, Never)),
    row("internlm2", "internlm2", dense(AsHeads, Divided, Never)),
    row("internlm3", "llama", dense(Named, DimNamed, Never)),
    row("glm", "chatglm", dense(Named, DimNamed, Never)),
    row("glm4", "glm4", dense(Named, Dim(128, "Glm4Config"), Never)),
    row("glm4_moe", "glm4moe", dense(Named, DimNamed, Never)),
    row("glm4v_text", "glm4", dense(Named, Divided, Never)),
    row("glm4v_moe_text", "glm4moe", dense(Named, DimNamed, Never)),
    row("minimax_m2", "minimax-m2", Own(minimax::m2)),
    only("mimo", dense(Named, Divided, Switched)),
    row("hy_v3", "hy_v3", dense(Named, DimNamed, Never)),
    row("dots1", "dots1", dense(Named, DimNamed, WhenSet)),
    row("gemma", "gemma", dense(Named, Dim(256, "GemmaConfig"), Never)),
    row("cohere", "command-r", dense(AsHeads, Divided, Never)),
    row("exaone", "exaone", dense(AsHeads, Divided, Never)),
    row("stablelm", "stablelm", dense(Named, Divided, Never)),
    row("hunyuan", "hunyuan-moe", Own(legacy::hunyuan)),
    row("hunyuan_v1_moe", "hunyuan-moe", Own(legacy::hunyuan)),
    row("hunyuan_v1_dense", "hunyuan-dense", Own(legacy::hunyuan)),
    row("minicpm", "minicpm", dense(AsHeads, Divided, Never)),
    row("orion", "orion", dense(AsHeads, Divided, Never)),
    row("bailing_moe", "bailingmoe2", dense(Named, Divided, Never)),
    row("bailing_moe_v2", "bailingmoe2", dense(Named, Divided, Never)),
    row("deepseek", "deepseek", dense(Named, Divided, Never)),
    only("phi3small", Own(legacy::phi3small)),
    row("arctic", "arctic", dense(Named, Divided, Never)),
    row("nemotron", "nemotron", dense(Named, Divided, Never)),
    row("apertus", "apertus", dense(Named, Divided, Never)),
    row("arcee", "arcee", dense(Named, Divided, Never)),
    // One window on all layers, or none.
    row("mistral", "llama", dense(Named, Divided, WhenSet)),
    row("mixtral", "llama", dense(Named, Divided, WhenSet)),
    row("ministral3", "mistral3", dense(Named, DimNamed, WhenSet)),
    row("phi3", "phi3", dense(AsHeads, Divided, WhenSet)),
    only("phi3_v", dense(AsHeads, Divided, WhenSet)),
    row("phimoe", "phimoe", dense(Named, Divided, WhenSet)),
    row("starcoder2", "starcoder2", dense(Named, Divided, WhenSet)),
    // Windows behind a switch.
    row("qwen2", "qwen2", dense(Named, Divided, Switched)),
    row("qwen2_moe", "qwen2moe", dense(Named, Divided, Switched)),
    row("qwen2_vl", "qwen2vl", dense(Named, Divided, Switched)),
    row("qwen2_vl_text", "qwen2vl", dense(Named, Divided, Switched)),
    row("qwen2_5_vl", "qwen2vl", dense(Named, Divided, Switched)),
    row("qwen2_5_vl_text", "qwen2vl", dense(Named, Divided, Switched)),
    row("qwen3", "qwen3", dense(Named, Dim(128, "Qwen3Config"), Switched)),
    row("qwen3_moe", "qwen3moe", dense(Named, DimNamed, Switched)),
    row("qwen2_5_omni_text", "qwen2vl", dense(Named, Divided, Switched)),
    row("qwen3_omni_moe_text", "qwen3vlmoe", dense(Named, DimNamed, Switched)),
    row("qwen3_vl", "qwen3vl", Frame),
    row("qwen3_vl_text", "qwen3vl", dense(Named, Dim(128, "Qwen3VLTextConfig"), Switched)),
    row("qwen3_vl_moe", "qwen3vlmoe", Frame),
    row("qwen3_vl_moe_text", "qwen3vlmoe", dense(Named, DimNamed, Switched)),
    // Windows, and a full layer every so often.
    row("gemma2", "gemma2", dense(Named, Dim(256, "Gemma2Config"), pattern(2, 4096, "Gemma2Config"))),
    row("gemma3", "gemma3", Frame),
    with_class(row("gemma3_text", "gemma3", dense(GEMMA3_KV, Dim(256, "Gemma3TextConfig"), pattern(6, 4096, "Gemma3TextConfig"))), "Gemma3TextConfig", 131_072, 262_208),
    row("cohere2", "cohere2", dense(AsHeads, Divided, pattern(4, 4096, "Cohere2Config"))),
    row("olmo3", "olmo2", dense(AsHeads, Divided, OLMO3)),
    row("exaone4", "exaone4", dense(Named, Divided, EXAONE4)),
    row("gpt_oss", "gpt-oss", dense(Named, Dim(64, "GptOssConfig"), pattern(2, 128, "GptOssConfig"))),
    row("gemma3n", "gemma3n", Frame),
    row("gemma3n_text", "gemma3n", Own(gemma::gemma3n)),
    row("gemma4", "gemma4", Frame),
    row("gemma4_text", "gemma4", Own(gemma::gemma4)),
    row("gemma4_unified", "gemma4", Own(gemma::gemma4)),
    row("gemma4_unified_text", "gemma4", Own(gemma::gemma4)),
    row("llama4", "llama4", Frame),
    row("llama4_text", "llama4", Own(llama4::import)),
    row("mimo_v2_flash", "mimo2", Own(mimo_v2::import)),
    only("step3_vl", Frame),
    only("step3_text", Own(step::step3)),
    row("step3p5", "step35", Own(step::step3p5)),
    row("step3p7", "step35", Own(step::step3p5)),
    // Latent attention.
    row("deepseek_v2", "deepseek2", Own(mla::import)),
    only("deepseek_vl_v2", Frame),
    row("deepseek_v3", "deepseek2", Own(mla::import)),
    row("kimi_k2", "deepseek2", Own(mla::import)),
    row("kimi_k25", "deepseek2", Frame),
    row("glm4_moe_lite", "deepseek2", Own(mla::import)),
    row("mistral4", "mistral4", Own(mla::import)),
    row("minicpm3", "minicpm3", Own(mla::minicpm3)),
    only("longcat_flash", Own(mla::longcat)),
    row("deepseek_v32", "deepseek32", Own(mla::indexed)),
    row("glm_moe_dsa", "glm-dsa", Own(mla::indexed)),
    row("deepseek_v4", "deepseek4", Own(deepseek_v4::import)),
    // The serving-side rewrite of the same file.
    row("deepseek_ref", "deepseek4", Own(deepseek_v4::import)),
    // Linear attention beside full or latent.
    row("qwen3_next", "qwen3next", Own(delta::qwen)),
    row("qwen3_5", "qwen35", Own(delta::qwen)),
    row("qwen3_5_text", "qwen35", Own(delta::qwen)),
    row("qwen3_5_moe", "qwen35moe", Own(delta::qwen)),
    row("qwen3_5_moe_text", "qwen35moe", Own(delta::qwen)),
    row("kimi_linear", "kimi-linear", Own(delta::kimi)),
    row("kimi_k3", "kimi-k3", Own(delta::kimi)),
    row("minimax_m1", "minimax-01", Own(minimax::m1)),
    row("minimax_text_01", "minimax-01", Own(minimax::m1)),
    row("minimax", "minimax-01", Own(minimax::m1)),
    row("minimax_m3", "minimax-m3", Own(minimax::m3)),
    row("minimax_m3_vl", "minimax-m3", Own(minimax::m3)),
    only("bailing_moe_linear", Own(bailing::linear)),
    row("bailing_hybrid", "bailingmoe3", Own(bailing::hybrid)),
    row("glm5_next", "glm5-next", Frame),
    row("glm5_next_text", "glm5-next", Own(bailing::glm5_next)),
    // State spaces, convolutions and recurrences.
    row("jamba", "jamba", Own(mamba::jamba)),
    row("nemotron_h", "nemotron_h", Own(mamba::nemotron_h)),
    row("granitemoehybrid", "granitehybrid", Own(mamba::granite_hybrid)),
    row("bamba", "granitehybrid", Own(mamba::granite_hybrid)),
    row("falcon_h1", "falcon-h1", Own(mamba::falcon_h1)),
    only("zamba2", Own(mamba::zamba2)),
    row("lfm2", "lfm2", Own(lfm2::import)),
    row("lfm2_moe", "lfm2moe", Own(lfm2::import)),
    row("lfm2_vl", "lfm2", Frame),
    row("mamba", "mamba", Own(mamba::mamba1)),
    row("falcon_mamba", "mamba", Own(mamba::mamba1)),
    row("mamba2", "mamba2", Own(mamba::mamba2)),
    only("rwkv", Own(recurrent::rwkv4)),
    only("rwkv5", Own(recurrent::rwkv)),
    row("rwkv6", "rwkv6", Own(recurrent::rwkv)),
    row("rwkv7", "rwkv7", Own(recurrent::rwkv)),
    only("xlstm", Own(recurrent::xlstm)),
    only("recurrent_gemma", Own(recurrent::griffin)),
    // Blocks chosen one by one; layers that attend to an encoder.
    row("nemotron-nas", "deci", Own(nas::import)),
    only("mllama", Frame),
    only("mllama_text_model", Own(cross::mllama)),
    only("whisper", Own(cross::whisper)),
    row("t5", "t5", Own(cross::t5)),
    // Older names for heads and layers.
    row("mpt", "mpt", Own(legacy::mpt)),
    row("dbrx", "dbrx", Own(legacy::attn_config)),
    row("falcon", "falcon", Own(legacy::falcon)),
    row("chatglm", "chatglm", Own(legacy::chatglm)),
    row("gpt_bigcode", "starcoder", Own(legacy::bigcode)),
    row("gpt2", "gpt2", dense(Mha, Divided, Never)),
    only("gptj", dense(Mha, Divided, Never)),
    row("gpt_neox", "gptneox", dense(Mha, Divided, Never)),
    only("opt", dense(Mha, Divided, Never)),
    only("persimmon", dense(Mha, Divided, Never)),
    row("bloom", "bloom", dense(Mha, Divided, Never)),
    row("baichuan", "baichuan", dense(Mha, Divided, Never)),
    row("qwen", "qwen", dense(Mha, Divided, Never)),
    row("phi", "phi2", dense(Mha, Divided, Never)),
    row("phi-msft", "phi2", dense(Mha, Divided, Never)),
    row("xverse", "xverse", dense(Mha, Divided, Never)),
    // Diffusion: a cache only under a block-caching sampler.
    diffusion(row("llada", "llada", dense(AsHeads, Divided, Never))),
    diffusion(row("llada_moe", "llada-moe", dense(Named, Divided, Never))),
    diffusion(only("llada2_moe", dense(Named, Divided, Never))),
    diffusion(row("Dream", "dream", dense(Named, Divided, Switched))),
    // Frames whose text config names its own family.
    only("llava", Frame),
    only("llava_next", Frame),
    row("mistral3", "mistral3", Frame),
    only("internvl_chat", Frame),
    only("internvl", Frame),
    row("glm4v", "glm4", Frame),
    row("glm4v_moe", "glm4moe", Frame),
    only("qwen2_5_omni", Frame),
    only("qwen3_omni_moe", Frame),
];
