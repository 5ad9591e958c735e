//! Layers that are more, less or otherwise than one attention and one block: LongCat-Flash, Llama 3.2 Vision, Nemotron's
//! searched blocks, Step 3 and Step 3.5. Classes: transformers 5.23.0, SGLang 0.5.23 (Step 3), the publisher's (Nemotron).

use super::build::Build;
use super::{Reader, ffn, mixers};
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Cross, Mixer};
use serde_json::Value;

fn unsupported(key: &str, message: &str) -> PlanError {
    PlanError::unsupported(key, message)
}

fn norms(r: &Reader<'_, '_>, b: &mut Build) -> Result<(), PlanError> {
    for name in ["attn_norm", "ffn_norm"] {
        b.vector(name, r.hidden()?);
    }
    Ok(())
}

/// `LongcatFlashDecoderLayer`: two attentions and two dense blocks, and experts beside them, some of which do nothing
/// and are only routed to.
pub(super) fn longcat(r: &Reader<'_, '_>, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, width) = (r.hidden()?, r.need("ffn_hidden_size")?);
    let RunBody::Hybrid { mixers: both } = body else {
        return Err(unsupported("num_layers", "a layer of one attention"));
    };
    for (i, mixer) in both.iter().enumerate() {
        let mut half = Build::default();
        mixers::add(r, mixer, &mut half)?;
        ffn::dense(r, "", width, &mut half)?;
        norms(r, &mut half)?;
        b.extend(half, &format!("_{i}"));
    }
    let (count, idle) = (ffn::count(r)?, r.u64("zero_expert_num")?.unwrap_or(0));
    let each = r.need("expert_ffn_hidden_size")?;
    ffn::used(r)?;
    b.linear("ffn_gate_inp", hidden, count + idle, r.bool("router_bias")? == Some(true));
    b.vector("exp_probs_b", count + idle);
    b.stack("ffn_gate_exps", hidden, each, count);
    b.stack("ffn_up_exps", hidden, each, count);
    b.stack("ffn_down_exps", each, hidden, count);
    Ok(())
}

/// `MllamaSelfAttentionDecoderLayer` and `MllamaCrossAttentionDecoderLayer`.
pub(super) fn mllama(r: &Reader<'_, '_>, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, heads) = (r.hidden()?, r.heads()?);
    match body {
        RunBody::One(Mixer::Cross(Cross { kv_heads, k_dim, v_dim })) => {
            b.matrix("cross_attn_q", hidden, heads * k_dim);
            b.matrix("cross_attn_k", hidden, kv_heads * k_dim);
            b.matrix("cross_attn_v", hidden, kv_heads * v_dim);
            b.matrix("cross_attn_output", heads * v_dim, hidden);
            b.vector("cross_attn_q_norm", *k_dim);
            b.vector("cross_attn_k_norm", *k_dim);
            b.vector("cross_attn_gate", 1);
            b.vector("cross_ffn_gate", 1);
        }
        RunBody::One(mixer) => mixers::add(r, mixer, b)?,
        RunBody::None | RunBody::Hybrid { .. } | RunBody::Pattern { .. } => {
            return Err(unsupported("cross_attention_layers", "a layer of another kind"));
        }
    }
    ffn::dense(r, "", r.need("intermediate_size")?, b)?;
    norms(r, b)
}

/// Rows of Llama 3.2 Vision's embedding beyond the vocabulary: the image's own tokens.
const IMAGE_TOKENS: u64 = 8;

/// Replaces the embedding by one that has the image's tokens.
pub(super) fn mllama_outside(r: &Reader<'_, '_>, b: &mut Build) -> Result<(), PlanError> {
    b.matrix("token_embd", r.hidden()?, r.vocab()? + IMAGE_TOKENS);
    Ok(())
}

/// `DeciLMDecoderLayer`: attention and block each as `block_configs` has them, with a norm each.
pub(super) fn nas(r: &Reader<'_, '_>, index: usize, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    let hidden = r.hidden()?;
    if let RunBody::One(mixer) = body {
        mixers::add(r, mixer, b)?;
        b.vector("attn_norm", hidden);
    }
    let block = r.fields.list("block_configs")?.and_then(|blocks| blocks.get(index)?.get("ffn"));
    let path = format!("block_configs[{index}].ffn");
    let block = block.ok_or_else(|| PlanError::missing(path.clone(), "the block says nothing of `ffn`"))?;
    let on = |key: &str| block.get(key).is_some_and(|v| *v == Value::Bool(true));
    if on("replace_with_linear") {
        return Err(unsupported(&path, "a block that is one matrix is not understood here"));
    }
    if on("no_op") {
        return Ok(());
    }
    let width = ffn_width(hidden, block.get("ffn_mult"));
    let width = width.ok_or_else(|| PlanError::missing(path, "`ffn_mult` decides the weights"))?;
    ffn::dense(r, "", width, b)?;
    b.vector("ffn_norm", hidden);
    Ok(())
}

/// Two thirds of a multiple of the hidden size, up to a multiple of 256 (`_ffn_mult_to_intermediate_size`). The
/// multiples are binary fractions, so that 65,536ths of them are whole.
fn ffn_width(hidden: u64, times: Option<&Value>) -> Option<u64> {
    const PARTS: f64 = 65_536.0;
    let parts: u64 = format!("{}", times?.as_f64()? * PARTS).parse().ok()?;
    let width = 2u64.checked_mul(parts)?.checked_mul(hidden)? / (3 * 65_536);
    (width > 0 && width < 1 << 24).then(|| width.next_multiple_of(256))
}

/// SGLang's `Step3TextDecoderLayer`: queries by way of a narrow shared one; experts where `moe_layers_enum` says.
pub(super) fn step3(
    r: &Reader<'_, '_>,
    index: usize,
    body: &RunBody,
    b: &mut Build,
) -> Result<(), PlanError> {
    let RunBody::One(Mixer::Full(a)) = body else {
        return Err(unsupported("model_type", "a layer of another kind"));
    };
    let (hidden, heads, shared) = (r.hidden()?, r.heads()?, r.need("share_q_dim")?);
    b.matrix("attn_q_a", hidden, shared);
    b.vector("attn_q_a_norm", shared);
    b.matrix("attn_q_b", shared, heads * a.k_dim);
    b.matrix("attn_k", hidden, a.kv_heads * a.k_dim);
    b.matrix("attn_v", hidden, a.kv_heads * a.v_dim);
    b.matrix("attn_output", heads * a.v_dim, hidden);
    norms(r, b)?;
    blocks(r, index, b)
}

/// `Step3p7DecoderLayer`: windowed layers may have more heads; every head's output has a gate. Prediction layers are
/// windowed and dense (settled by the published count).
pub(super) fn step3p5(
    r: &Reader<'_, '_>,
    index: usize,
    body: &RunBody,
    b: &mut Build,
) -> Result<(), PlanError> {
    let (kv, dim, windowed) = match body {
        RunBody::One(Mixer::Full(a)) => (a.kv_heads, a.k_dim, is_after_trunk(r, index)?),
        RunBody::One(Mixer::Window(a)) => (a.kv_heads, a.k_dim, true),
        RunBody::One(_) | RunBody::None | RunBody::Hybrid { .. } | RunBody::Pattern { .. } => {
            return Err(unsupported("layer_types", "a layer of another kind"));
        }
    };
    let other = r.fields.object("attention_other_setting")?;
    let other = match &other {
        Some(other) => other.positive("num_attention_heads")?,
        None => r.u64("num_sliding_attention_heads")?,
    };
    let heads = match (windowed, other) {
        (false, _) => r.heads()?,
        (true, Some(heads)) => heads,
        (true, None) => {
            let message = "`attention_other_setting` gives the heads of windowed layers, and is absent";
            return Err(PlanError::missing("attention_other_setting", message));
        }
    };
    mixers::attention(r, heads, kv, dim, dim, b)?;
    b.matrix("attn_gate", r.hidden()?, heads);
    r.fields.ignore(&["use_head_wise_attn_gate"]);
    norms(r, b)?;
    blocks(r, index, b)
}

fn is_after_trunk(r: &Reader<'_, '_>, index: usize) -> Result<bool, PlanError> {
    Ok(u64::try_from(index).unwrap_or(u64::MAX) >= r.need("num_hidden_layers")?)
}

/// The layers with experts, and the shared one's own width.
fn blocks(r: &Reader<'_, '_>, index: usize, b: &mut Build) -> Result<(), PlanError> {
    let layer = u64::try_from(index).unwrap_or(u64::MAX);
    let listed = match r.value("moe_layers_enum") {
        Some(Value::String(text)) => Some(text.split(',').filter_map(|n| n.trim().parse().ok()).collect()),
        Some(_) => r.numbers("moe_layers_enum")?,
        None => None,
    };
    let first = r.u64("first_k_dense_replace")?.unwrap_or(3);
    let sparse = match listed {
        Some(listed) => listed.contains(&layer),
        None => layer >= first && !is_after_trunk(r, index)?,
    };
    let moe = r.law.moe.filter(|_| sparse);
    r.fields.ignore(&["use_moe_router_bias", "n_shared_experts"]);
    let Some(moe) = moe else { return ffn::dense(r, "", r.need("intermediate_size")?, b) };
    ffn::routed(r, &moe, r.hidden()?, r.need("moe_intermediate_size")?, b)?;
    ffn::dense(r, "_shexp", r.need("share_expert_dim")?, b)
}
