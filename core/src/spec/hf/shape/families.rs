//! Which law a `model_type` follows. A family that is not listed has no shape, and says so.

use super::law::{Ffn, FfnWidth, Flag, Law, Moe, Mtp, Norms, QkNorm, SharedExperts, Sinks, Sparse};
use Flag::{Always, Key, Never};

const NO_BIAS: Law = Law { ffn_bias: Never, ..Law::LLAMA.bias(Never, Never) };
const QWEN2: Law = NO_BIAS.bias(Always, Never);
const QWEN3: Law = Law { ffn_bias: Never, ..Law::LLAMA.qk_norm(QkNorm::Head) };
const GEMMA: Law = Law { ffn_bias: Never, ..Law::LLAMA.tied() };
const GPT_NEOX: Law = Law {
    width: FfnWidth::Named,
    tied: false,
    ..Law::GPT.bias(Key("attention_bias", true), Key("attention_bias", true))
};
const DEEPSEEK: Law = Law {
    ffn_bias: Never,
    ..Law::LLAMA.moe(Sparse::AfterDense, SharedExperts::Count("n_shared_experts"), Never)
};
const DEEPSEEK_V3: Law = Law { mtp: Mtp::Copies, ..corrected(DEEPSEEK, Always) };
const GLM4_MOE: Law = corrected(DEEPSEEK, Always)
    .bias(Key("attention_bias", false), Never)
    .qk_norm(QkNorm::HeadIf("use_qk_norm"));

const fn corrected(mut law: Law, correction: Flag) -> Law {
    if let Some(moe) = law.moe {
        law.moe = Some(Moe { correction, ..moe });
    }
    law
}

/// The law of a family.
pub(super) fn law(model_type: &str) -> Option<Law> {
    Some(match model_type {
        "llama" | "smollm3" | "xverse" | "llada" | "minicpm" | "internlm3" | "granite" | "ministral3" => {
            match model_type {
                "smollm3" => Law::LLAMA.tied(),
                "granite" => Law::LLAMA.tied(),
                "minicpm" => Law::LLAMA.tied().moe(Sparse::IfCounted, SharedExperts::None, Never),
                "internlm3" => Law::LLAMA.bias(Key("qkv_bias", false), Key("bias", false)).ffn(
                    Ffn::Gated,
                    FfnWidth::Named,
                    Key("bias", false),
                ),
                "llada" => NO_BIAS.bias(Key("include_qkv_bias", false), Never).ffn(
                    Ffn::Gated,
                    FfnWidth::Key("mlp_hidden_size"),
                    Never,
                ),
                _ => Law::LLAMA,
            }
        }
        "mistral" => NO_BIAS,
        "mixtral" => NO_BIAS.moe(Sparse::All, SharedExperts::None, Never),
        "olmo" => NO_BIAS.bias(Key("attention_bias", false), Key("attention_bias", false)).norms(Norms::None),
        "olmo2" | "olmo3" => {
            Law { ffn_bias: Never, ..Law::LLAMA.qk_norm(QkNorm::Whole).norms(Norms::TwoAfter) }
        }
        "olmoe" => Law { ffn_bias: Never, ..Law::LLAMA.qk_norm(QkNorm::Whole) }.moe(
            Sparse::All,
            SharedExperts::None,
            Never,
        ),
        "granitemoe" => Law::LLAMA.tied().moe(Sparse::All, SharedExperts::None, Never),
        "seed_oss" => Law::LLAMA.bias(Key("attention_bias", true), Key("attention_out_bias", false)),
        "ernie4_5" => {
            let bias = Key("use_bias", false);
            Law::LLAMA.bias(bias, bias).ffn(Ffn::Gated, FfnWidth::Named, bias).tied()
        }
        "ernie4_5_moe" => {
            let bias = Key("use_bias", false);
            let shared = SharedExperts::Count("moe_num_shared_experts");
            let law = Law::LLAMA.bias(bias, bias).ffn(Ffn::Gated, FfnWidth::Named, bias).tied();
            law.moe(Sparse::Interval, shared, Always).mtp(Mtp::Shared)
        }
        "internlm2" => Law { ffn_bias: Never, ..Law::LLAMA.bias(Key("bias", false), Key("bias", false)) },
        "baichuan" | "orion" => NO_BIAS.fused(),
        "qwen" => Law { ffn_bias: Never, ..QWEN2.ffn(Ffn::Gated, FfnWidth::Halved, Never).fused() },
        "qwen2" | "qwen2_vl" | "qwen2_vl_text" | "qwen2_5_vl" | "qwen2_5_vl_text" | "qwen2_5_omni_text"
        | "Dream" => QWEN2,
        "qwen2_moe" => {
            QWEN2.moe(Sparse::Step, SharedExperts::Gated("shared_expert_intermediate_size"), Never)
        }
        "mimo" => QWEN2.bias(Key("attention_bias", true), Never).mtp(Mtp::Shared),
        "qwen3" | "qwen3_vl_text" => QWEN3,
        "qwen3_moe" | "qwen3_vl_moe_text" | "qwen3_omni_moe_text" => {
            QWEN3.moe(Sparse::Step, SharedExperts::None, Never)
        }
        "qwen3_next" | "qwen3_5_moe" | "qwen3_5_moe_text" => Law {
            gate: Key("attn_output_gate", true),
            mtp: Mtp::Shared,
            ..QWEN3.moe(Sparse::Step, SharedExperts::Gated("shared_expert_intermediate_size"), Never)
        },
        "qwen3_5" | "qwen3_5_text" => Law { gate: Key("attn_output_gate", true), mtp: Mtp::Shared, ..QWEN3 },
        "gemma" => GEMMA,
        "gemma2" => GEMMA.norms(Norms::Four),
        "gemma3_text" | "gemma3" => GEMMA.norms(Norms::Four).qk_norm(QkNorm::Head),
        "phi3" | "phi3_v" => NO_BIAS.fused().ffn(Ffn::GatedFused, FfnWidth::Named, Never),
        "phimoe" => Law {
            norm_bias: true,
            head_bias: Key("lm_head_bias", false),
            ..Law::LLAMA.bias(Key("attention_bias", false), Key("attention_bias", false)).moe(
                Sparse::All,
                SharedExperts::None,
                Never,
            )
        },
        "glm" => {
            NO_BIAS.bias(Key("attention_bias", false), Never).ffn(Ffn::GatedFused, FfnWidth::Named, Never)
        }
        "glm4" | "glm4v_text" => NO_BIAS.bias(Key("attention_bias", false), Never).norms(Norms::Four).ffn(
            Ffn::GatedFused,
            FfnWidth::Named,
            Never,
        ),
        "glm4_moe" | "glm4v_moe_text" => GLM4_MOE.mtp(Mtp::Copies),
        "dots1" => GLM4_MOE.qk_norm(QkNorm::Head),
        "hy_v3" => Law { ffn_bias: Never, ..Law::LLAMA.qk_norm(QkNorm::Head) }
            .moe(Sparse::AfterDense, SharedExperts::Count("num_shared_experts"), Always)
            .mtp(Mtp::Shared),
        "bailing_moe" => Law {
            qk_norm: QkNorm::HeadIf("use_qk_norm"),
            moe: Some(Moe {
                sparse: Sparse::AfterDense,
                shared: SharedExperts::Count("num_shared_experts"),
                correction: Key("moe_router_enable_expert_bias", false),
                biased: false,
                gated: true,
            }),
            mtp: Mtp::Shared,
            ..NO_BIAS.bias(Key("use_qkv_bias", false), Key("use_bias", false)).fused()
        },
        "minimax_m2" => Law { mtp: Mtp::NotStored, ..NO_BIAS }.qk_norm(QkNorm::Whole).moe(
            Sparse::All,
            SharedExperts::None,
            Always,
        ),
        "gpt_oss" => Law {
            sinks: Sinks::All,
            moe: Some(Moe {
                sparse: Sparse::All,
                shared: SharedExperts::None,
                correction: Never,
                biased: true,
                gated: true,
            }),
            ..NO_BIAS.bias(Always, Always)
        },
        "llama4_text" => {
            Law { ffn_bias: Never, ..Law::LLAMA.moe(Sparse::Interleaved, SharedExperts::One, Never) }
        }
        "cohere" => Law {
            ffn_bias: Never,
            ..Law::LLAMA.tied().norms(Norms::One).qk_norm(QkNorm::RowsIf("use_qk_norm"))
        },
        "cohere2" => Law { ffn_bias: Never, ..Law::LLAMA.tied().norms(Norms::One) },
        "exaone4" => QWEN3.norms(Norms::TwoAfter),
        "exaone" => NO_BIAS,
        "hunyuan_v1_dense" => Law { ffn_bias: Never, ..Law::LLAMA.qk_norm(QkNorm::HeadIf("use_qk_norm")) },
        "hunyuan" | "hunyuan_v1_moe" => Law {
            ffn_bias: Never,
            ..Law::LLAMA.qk_norm(QkNorm::HeadIf("use_qk_norm")).moe(
                Sparse::All,
                SharedExperts::Count("num_shared_expert"),
                Never,
            )
        },
        "internlm" => NO_BIAS.bias(Key("bias", true), Key("bias", true)),
        "chatglm" => {
            let bias = Key("add_bias_linear", false);
            let width = FfnWidth::Key("ffn_hidden_size");
            NO_BIAS.bias(Key("add_qkv_bias", false), bias).fused().ffn(Ffn::GatedFused, width, bias)
        }
        "phi3small" => Law { norm_bias: true, ..NO_BIAS.bias(Always, Always).fused().tied() }.ffn(
            Ffn::GatedFused,
            FfnWidth::Key("ff_intermediate_size"),
            Always,
        ),
        // The checkpoints hold a head, and llama.cpp loads it, though the class ties it.
        "falcon" => Law {
            norms: Norms::Falcon,
            width: FfnWidth::OrTimes("ffn_hidden_size", 4),
            ffn_bias: Key("bias", false),
            tied: false,
            ..Law::GPT.bias(Key("bias", false), Key("bias", false))
        },
        "gptj" => Law {
            fused_qkv: false,
            norms: Norms::One,
            tied: false,
            head_bias: Always,
            ..Law::GPT.bias(Never, Never)
        },
        "minimax_m1" | "minimax_text_01" | "minimax" => NO_BIAS.moe(Sparse::All, SharedExperts::None, Never),
        "minimax_m3" | "minimax_m3_vl" => {
            Law { mtp: Mtp::NotStored, width: FfnWidth::Key("dense_intermediate_size"), ..NO_BIAS }
                .qk_norm(QkNorm::Head)
                .moe(Sparse::Listed("moe_layer_freq"), SharedExperts::Count("n_shared_experts"), Always)
        }
        "mimo_v2_flash" => Law {
            sinks: Sinks::Keyed {
                window: Key("add_swa_attention_sink_bias", true),
                full: Key("add_full_attention_sink_bias", false),
            },
            ..NO_BIAS.moe(Sparse::Listed("moe_layer_freq"), SharedExperts::Count("n_shared_experts"), Always)
        }
        .bias(Key("attention_bias", false), Never),
        "bailing_hybrid" => NO_BIAS
            .moe(Sparse::AfterDense, SharedExperts::Count("num_shared_experts"), Always)
            .mtp(Mtp::Shared),
        "starcoder2" => Law { width: FfnWidth::Named, ..Law::GPT }
            .bias(Key("use_bias", true), Key("use_bias", true))
            .ffn(Ffn::Plain, FfnWidth::Named, Key("use_bias", true)),
        "gpt_neox" => GPT_NEOX,
        "gpt2" | "gpt_bigcode" => {
            Law { positions: Some((&["n_positions", "max_position_embeddings"], 0)), ..Law::GPT }
        }
        "opt" => Law {
            positions: Some((&["max_position_embeddings"], 2)),
            width: FfnWidth::OrTimes("ffn_dim", 4),
            fused_qkv: false,
            ..Law::GPT
        },
        "bloom" => Law { embedding_norm: true, ..Law::GPT },
        "phi" | "phi-msft" => Law {
            tied: false,
            head_bias: Always,
            width: FfnWidth::OrTimes(
                if matches!(model_type, "phi") { "intermediate_size" } else { "n_inner" },
                4,
            ),
            norms: Norms::One,
            ..Law::GPT
        },
        "stablelm" => Law { norm_bias: true, ..NO_BIAS.bias(Key("use_qkv_bias", false), Never) },
        "mpt" => Law {
            norm_bias: false,
            ffn_bias: Never,
            width: FfnWidth::OrTimes("_", 4),
            ..Law::GPT.bias(Never, Never)
        },
        "deepseek" => DEEPSEEK,
        "deepseek_v2" => DEEPSEEK,
        "deepseek_v3" | "deepseek_v32" | "kimi_k2" | "glm4_moe_lite" => DEEPSEEK_V3,
        "glm_moe_dsa" => DEEPSEEK_V3.mtp(Mtp::Shared),
        "mistral4" => DEEPSEEK,
        "minicpm3" => Law { ffn_bias: Never, ..Law::LLAMA.tied() },
        "lfm2" => Law { width: FfnWidth::Adjusted, ..GEMMA.qk_norm(QkNorm::Head) },
        "lfm2_moe" => GEMMA.qk_norm(QkNorm::Head).moe(
            Sparse::NumDense,
            SharedExperts::None,
            Key("use_expert_bias", true),
        ),
        "mamba" | "falcon_mamba" | "mamba2" => Law { tied: true, norms: Norms::One, ..NO_BIAS },
        "kimi_linear" => {
            let shared = SharedExperts::Count("num_shared_experts");
            Law { ffn_bias: Never, ..Law::LLAMA.moe(Sparse::AfterDense, shared, Always) }
        }
        _ => return None,
    })
}
