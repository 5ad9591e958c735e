//! The tensors of a mixer: its dimensions are already known, its family says which biases and norms go with it.

use super::Reader;
use super::build::Build;
use super::law::{Flag, QkNorm, Sinks};
use crate::error::PlanError;
use crate::spec::layer::{Full, GatedDelta, Kda, Lightning, Mamba1, Mamba2, Mixer, Mla, ShortConv};

/// Adds what a mixer's projections weigh.
pub(super) fn add(r: &Reader<'_, '_>, mixer: &Mixer, b: &mut Build) -> Result<(), PlanError> {
    // Said by some files beside what their class always does.
    r.fields.ignore(&["no_bias", "enable_bias", "intermediate_size_mlp"]);
    match r.family {
        "gpt_oss" | "gpt_neox" => r.fields.ignore(&["attention_bias", "bias"]),
        // Its norm of queries and keys has no parameters.
        "llama4_text" => r.fields.ignore(&["use_qk_norm"]),
        // One norm over all heads (`per_layer`), as the law has it.
        "minimax_m2" => r.fields.ignore(&["qk_norm_type", "use_routing_bias"]),
        // One norm a head, as the law has it; the shared expert is as wide as a routed one.
        "minimax_m3" | "minimax_m3_vl" => {
            if r.u64("shared_intermediate_size")?
                != r.first_number(&["moe_intermediate_size", "intermediate_size"])
            {
                let message = "a shared expert of another width is not understood here";
                return Err(PlanError::unsupported("shared_intermediate_size", message));
            }
            r.fields.ignore(&["qk_norm_type", "use_routing_bias", "attention_output_gate"]);
        }
        // How a shared block would be mixed in, and the scales of residuals.
        "minimax_m1" | "minimax_text_01" | "minimax" => {
            r.fields.ignore(&["shared_moe_mode", "layernorm_mlp_beta"]);
        }
        "falcon" => {
            r.fields.assume("the head is counted: checkpoints hold it beside the embedding it equals")
        }
        // Numerics of the decay.
        "bailing_hybrid" => r.fields.ignore(&["kda_safe_gate"]),
        // Which function gates, not whether.
        "qwen3_5" | "qwen3_5_text" | "qwen3_5_moe" | "qwen3_5_moe_text" => {
            r.fields.ignore(&["output_gate_type"])
        }
        "mamba" | "falcon_mamba" | "mamba2" => r.fields.ignore(&["intermediate_size"]),
        "hunyuan" | "hunyuan_v1_moe" => r.fields.ignore(&["use_mixed_mlp_moe"]),
        "opt" => opt(r)?,
        _ => {}
    }
    match mixer {
        Mixer::Full(a) => full(r, a, b),
        Mixer::Window(a) => {
            let heads = r.u64("swa_num_attention_heads")?.map_or_else(|| r.heads(), Ok)?;
            attention(r, heads, a.kv_heads, a.k_dim, a.v_dim, b)?;
            sinks(r, heads, true, b)
        }
        Mixer::Chunk(a) => attention(r, r.heads()?, a.kv_heads, a.k_dim, a.v_dim, b),
        Mixer::Mla(a) => latent(r, a, b),
        Mixer::Mamba1(a) => mamba1(r, a, b),
        Mixer::Mamba2(a) => mamba2(r, a, b),
        Mixer::GatedDelta(a) => gated_delta(r, a, b),
        Mixer::Kda(a) => kda(r, a, b),
        Mixer::ShortConv(a) => short_conv(r, a, b),
        Mixer::Lightning(a) => lightning(r, a, b),
        Mixer::Compressed(_)
        | Mixer::Rwkv(_)
        | Mixer::RgLru(_)
        | Mixer::Mlstm(_)
        | Mixer::Cross(_)
        | Mixer::Shared(_) => {
            let message = format!("what a `{}` layer weighs is not understood here", mixer.kind());
            Err(PlanError::unsupported("", message))
        }
    }
}

/// What OPT's files leave out, and the one size whose embeddings are narrower than its layers.
fn opt(r: &Reader<'_, '_>) -> Result<(), PlanError> {
    if r.value("ffn_dim").is_none() {
        r.fields.assume("ffn_dim is absent: four times the hidden size, as in every published OPT");
    }
    let hidden = r.hidden()?;
    match r.u64("word_embed_proj_dim")? {
        Some(width) if width != hidden => {
            let message = "embeddings of another width than the layers are not understood here";
            Err(PlanError::unsupported("word_embed_proj_dim", message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Attention over all tokens, with MiniMax M3's indexer where the layer chooses among them.
fn full(r: &Reader<'_, '_>, a: &Full, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, heads) = (r.hidden()?, r.heads()?);
    attention(r, heads, a.kv_heads, a.k_dim, a.v_dim, b)?;
    sinks(r, heads, false, b)?;
    let Some(width) = a.indexer_dim else { return Ok(()) };
    let absent = || PlanError::missing("sparse_attention_config", "the indexer's heads are not said");
    let sparse = r.fields.object("sparse_attention_config")?.ok_or_else(absent)?;
    let heads = sparse.positive("sparse_num_index_heads")?.ok_or_else(absent)?;
    b.matrix("indexer.attn_q", hidden, heads * width);
    b.matrix("indexer.attn_k", hidden, width);
    b.vector("indexer.q_norm", width);
    b.vector("indexer.k_norm", width);
    Ok(())
}

fn sinks(r: &Reader<'_, '_>, heads: u64, windowed: bool, b: &mut Build) -> Result<(), PlanError> {
    let on = match r.law.sinks {
        Sinks::None => false,
        Sinks::All => true,
        Sinks::Keyed { window, full } => {
            let (window, full) = (r.flag(window)?, r.flag(full)?);
            if windowed { window } else { full }
        }
    };
    if on {
        b.vector("attn_sinks", heads);
    }
    Ok(())
}

/// Projections of `heads` queries over `kv` keys and values, with what the law adds.
pub(super) fn attention(
    r: &Reader<'_, '_>,
    heads: u64,
    kv: u64,
    k_dim: u64,
    v_dim: u64,
    b: &mut Build,
) -> Result<(), PlanError> {
    let (law, hidden) = (r.law, r.hidden()?);
    let bias = r.flag(law.qkv_bias)?;
    let gate = r.flag(law.gate)?;
    let q = heads * k_dim;
    if law.fused_qkv {
        b.linear("attn_qkv", hidden, q + kv * (k_dim + v_dim), bias);
    } else {
        b.linear("attn_q", hidden, if gate { 2 * q } else { q }, bias);
        b.linear("attn_k", hidden, kv * k_dim, bias);
        b.linear("attn_v", hidden, kv * v_dim, bias);
    }
    b.linear("attn_output", heads * v_dim, hidden, r.flag(law.out_bias)?);
    let (on, whole) = match law.qk_norm {
        QkNorm::None => (false, false),
        QkNorm::Head => (r.bool("use_qk_norm")? != Some(false), false),
        QkNorm::Whole => (r.bool("use_qk_norm")? != Some(false), true),
        QkNorm::HeadIf(key) => (r.bool(key)? == Some(true), false),
        QkNorm::RowsIf(key) => (r.bool(key)? == Some(true), true),
    };
    if on {
        b.vector("attn_q_norm", if whole { q } else { k_dim });
        b.vector("attn_k_norm", if whole { kv * k_dim } else { k_dim });
    }
    Ok(())
}

/// `MiniMaxLightningAttention`: all three in one matrix, a gate as wide as the output, a norm over all heads.
fn lightning(r: &Reader<'_, '_>, a: &Lightning, b: &mut Build) -> Result<(), PlanError> {
    if !matches!(r.family, "minimax_m1" | "minimax_text_01" | "minimax") {
        let message = "what a `lightning` layer of this family weighs is not understood here";
        return Err(PlanError::unsupported("", message));
    }
    let (hidden, width) = (r.hidden()?, a.heads * a.head_dim);
    b.matrix("attn_qkv", hidden, 3 * width);
    b.matrix("attn_gate", hidden, width);
    b.vector("attn_sub_norm", width);
    b.matrix("attn_output", width, hidden);
    Ok(())
}

fn latent(r: &Reader<'_, '_>, a: &Mla, b: &mut Build) -> Result<(), PlanError> {
    let hidden = r.hidden()?;
    r.fields.ignore(&["kv_lora_rank"]);
    let absent = |key: &str| PlanError::missing(key, format!("`{key}` is absent"));
    let heads = a.heads.ok_or_else(|| absent("num_attention_heads"))?;
    let nope = a.nope_dim.ok_or_else(|| absent("qk_nope_head_dim"))?;
    let v_dim = a.v_dim.ok_or_else(|| absent("v_head_dim"))?;
    let bias = r.flag(Flag::Key("attention_bias", false))?;
    let (q, rank) = (heads * (nope + a.rope_dim), r.u64("q_lora_rank")?.filter(|n| *n > 0));
    match rank {
        Some(rank) => {
            b.linear("attn_q_a", hidden, rank, bias);
            b.vector("attn_q_a_norm", rank);
            b.matrix("attn_q_b", rank, q);
        }
        None => b.matrix("attn_q", hidden, q),
    }
    b.linear("attn_kv_a_mqa", hidden, a.latent_dim + a.rope_dim, bias);
    b.vector("attn_kv_a_norm", a.latent_dim);
    b.stack("attn_k_b", nope, a.latent_dim, heads);
    b.stack("attn_v_b", a.latent_dim, v_dim, heads);
    b.linear("attn_output", heads * v_dim, hidden, bias);
    if r.bool("mla_use_output_gate")? == Some(true) {
        b.matrix("attn_gate", hidden, heads * v_dim);
    }
    if r.family == "bailing_hybrid" {
        b.matrix("attn_gate", hidden, heads);
    }
    if let Some(width) = a.indexer_dim {
        let rank = rank.ok_or_else(|| absent("q_lora_rank"))?;
        let heads = r.need("index_n_heads")?;
        b.matrix("indexer.attn_q_b", rank, heads * width);
        b.matrix("indexer.attn_k", hidden, width);
        b.matrix("indexer.proj", hidden, heads);
        b.norm("indexer.k_norm", width, true);
        if let Some(pooled) = a.indexer_stride {
            b.matrix("indexer.compress_ape", width, pooled);
            b.matrix("indexer.compress_gate", hidden, width);
        }
    }
    Ok(())
}

fn mamba1(r: &Reader<'_, '_>, a: &Mamba1, b: &mut Build) -> Result<(), PlanError> {
    let hidden = r.hidden()?;
    let rank = match r.first_number(&["time_step_rank", "mamba_dt_rank"]) {
        Some(rank) => rank,
        None => hidden.div_ceil(16),
    };
    let bias = r.bool("use_bias")?.or(r.bool("mamba_proj_bias")?) == Some(true);
    b.linear("ssm_in", hidden, 2 * a.inner, bias);
    b.matrix("ssm_conv1d", a.conv_kernel, a.inner);
    if r.bool("use_conv_bias")?.or(r.bool("mamba_conv_bias")?) != Some(false) {
        b.vector("ssm_conv1d.bias", a.inner);
    }
    b.matrix("ssm_x", a.inner, rank + 2 * a.state);
    b.linear("ssm_dt", rank, a.inner, true);
    b.matrix("ssm_a", a.state, a.inner);
    b.vector("ssm_d", a.inner);
    b.linear("ssm_out", a.inner, hidden, bias);
    if r.family == "jamba" {
        b.vector("ssm_dt_norm", rank);
        b.vector("ssm_b_norm", a.state);
        b.vector("ssm_c_norm", a.state);
    }
    Ok(())
}

fn mamba2(r: &Reader<'_, '_>, a: &Mamba2, b: &mut Build) -> Result<(), PlanError> {
    let hidden = r.hidden()?;
    let (inner, mixed) = (a.heads * a.head_dim, 2 * a.groups * a.state);
    let bias = r.bool("use_bias")?.or(r.bool("mamba_proj_bias")?) == Some(true);
    b.linear("ssm_in", hidden, 2 * inner + mixed + a.heads, bias);
    b.matrix("ssm_conv1d", a.conv_kernel, inner + mixed);
    if r.bool("use_conv_bias")?.or(r.bool("mamba_conv_bias")?) != Some(false) {
        b.vector("ssm_conv1d.bias", inner + mixed);
    }
    b.vector("ssm_dt.bias", a.heads);
    b.vector("ssm_a", a.heads);
    b.vector("ssm_d", a.heads);
    if r.family != "falcon_h1" || r.bool("mamba_rms_norm")? == Some(true) {
        b.vector("ssm_norm", inner);
    }
    b.linear("ssm_out", inner, hidden, bias);
    Ok(())
}

fn gated_delta(r: &Reader<'_, '_>, a: &GatedDelta, b: &mut Build) -> Result<(), PlanError> {
    let hidden = r.hidden()?;
    let (keys, values) = (a.k_heads * a.k_dim, a.v_heads * a.v_dim);
    b.matrix("attn_qkv", hidden, 2 * keys + values);
    b.matrix("attn_gate", hidden, values);
    b.matrix("ssm_conv1d", a.conv_kernel, 2 * keys + values);
    b.vector("ssm_dt.bias", a.v_heads);
    b.vector("ssm_a", a.v_heads);
    if r.family == "qwen3_next" {
        b.matrix("ssm_ba", hidden, 2 * a.v_heads);
    } else {
        b.matrix("ssm_alpha", hidden, a.v_heads);
        b.matrix("ssm_beta", hidden, a.v_heads);
    }
    b.vector("ssm_norm", a.v_dim);
    b.matrix("ssm_out", values, hidden);
    Ok(())
}

fn kda(r: &Reader<'_, '_>, a: &Kda, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, width) = (r.hidden()?, a.heads * a.head_dim);
    for (name, conv) in [("attn_q", "ssm_conv1d_q"), ("attn_k", "ssm_conv1d_k"), ("attn_v", "ssm_conv1d_v")] {
        b.matrix(name, hidden, width);
        b.matrix(conv, a.conv_kernel, width);
    }
    // Decay and gate come by way of a head's width, or at once.
    let config = r.fields.object("linear_attn_config")?;
    let full_rank = config.map(|c| c.bool("use_full_rank_gate")).transpose()?.flatten() == Some(true);
    if r.family == "bailing_hybrid" {
        b.matrix("ssm_f", hidden, width);
    } else {
        b.matrix("ssm_f_a", hidden, a.head_dim);
        b.matrix("ssm_f_b", a.head_dim, width);
    }
    if full_rank || r.family == "bailing_hybrid" {
        b.matrix("ssm_g", hidden, width);
    } else {
        b.matrix("ssm_g_a", hidden, a.head_dim);
        b.matrix("ssm_g_b", a.head_dim, width);
    }
    b.matrix("ssm_beta", hidden, a.heads);
    b.vector("ssm_dt.bias", width);
    b.vector("ssm_a", a.heads);
    b.vector("ssm_norm", a.head_dim);
    b.matrix("attn_output", width, hidden);
    Ok(())
}

fn short_conv(r: &Reader<'_, '_>, a: &ShortConv, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, bias) = (r.hidden()?, r.bool("conv_bias")? == Some(true));
    b.linear("shortconv.in_proj", hidden, 3 * a.width, bias);
    b.matrix("shortconv.conv", a.conv_kernel, a.width);
    if bias {
        b.vector("shortconv.conv.bias", a.width);
    }
    b.linear("shortconv.out_proj", a.width, hidden, bias);
    Ok(())
}
