//! Recurrent layers with blocks of their own: RecurrentGemma, Zamba 2 and xLSTM. Their classes are transformers 5.23.0's.

use super::build::Build;
use super::{Reader, ffn, mixers};
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Mixer, Mlstm};
use serde_json::Value;

fn unsupported(message: &str) -> PlanError {
    PlanError::unsupported("layers_block_type", message)
}

/// `RecurrentGemmaDecoderLayer`: a gated linear recurrence or windowed attention, then a gated block of half the width
/// that `intermediate_size` says.
pub(super) fn griffin(r: &Reader<'_, '_>, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    let hidden = r.hidden()?;
    match body {
        RunBody::One(Mixer::RgLru(a)) => {
            let heads = r.heads()?;
            b.linear("ssm_in_y", hidden, a.width, true);
            b.linear("ssm_in", hidden, a.width, true);
            b.linear("ssm_out", a.width, hidden, true);
            b.matrix("ssm_conv1d", a.conv_kernel, a.width);
            b.vector("ssm_conv1d.bias", a.width);
            b.vector("ssm_a", a.width);
            for gate in ["ssm_input_gate", "ssm_recurrent_gate"] {
                b.stack(gate, a.width / heads, a.width / heads, heads);
                b.vector(format!("{gate}.bias"), a.width);
            }
        }
        RunBody::One(mixer) => mixers::add(r, mixer, b)?,
        RunBody::None | RunBody::Hybrid { .. } | RunBody::Pattern { .. } => {
            return Err(unsupported("a layer of another kind"));
        }
    }
    ffn::dense(r, "", r.need("intermediate_size")? / 2, b)?;
    for norm in ["attn_norm", "ffn_norm"] {
        b.vector(norm, hidden);
    }
    Ok(())
}

/// `Zamba2HybridLayer`: every layer a Mamba-2; some of them before it an attention block of twice the width that several
/// layers share, each with a low-rank adapter and a projection of its own. A shared block stands where it is used first.
pub(super) fn zamba2(
    r: &Reader<'_, '_>,
    index: usize,
    body: &RunBody,
    b: &mut Build,
) -> Result<(), PlanError> {
    let hidden = r.hidden()?;
    r.fields.ignore(&["add_bias_linear", "use_conv_bias", "mamba_ngroups"]);
    if r.bool("add_bias_linear")? == Some(true) || r.bool("use_shared_attention_adapter")? == Some(true) {
        return Err(unsupported("biases and adapters of attention are not understood here"));
    }
    b.vector("attn_norm", hidden);
    let parts = match body {
        RunBody::One(mixer) => std::slice::from_ref(mixer),
        RunBody::Hybrid { mixers } => mixers,
        RunBody::None | RunBody::Pattern { .. } => return Err(unsupported("a layer of another kind")),
    };
    for mixer in parts {
        if let Mixer::Mamba2(_) = mixer {
            mixers::add(r, mixer, b)?;
        } else {
            shared_block(r, index, b)?;
        }
    }
    Ok(())
}

/// What attention adds to layer `index`.
fn shared_block(r: &Reader<'_, '_>, index: usize, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, width, rank) = (r.hidden()?, r.need("intermediate_size")?, r.need("adapter_rank")?);
    b.matrix("shared_linear", hidden, hidden);
    b.matrix("ffn_adapter_a", hidden, rank);
    b.matrix("ffn_adapter_b", rank, 2 * width);
    let types = r.strings("layers_block_type")?.unwrap_or_default();
    let before = types.iter().take(index).filter(|kind| **kind == "hybrid").count();
    if u64::try_from(before).unwrap_or(u64::MAX) >= r.need("num_mem_blocks")? {
        r.fields.assume(
            "attention blocks that several layers share are counted once, where the first of them stands",
        );
        return Ok(());
    }
    let from = r.need("attention_hidden_size")?;
    let (heads, kv, dim) = (r.heads()?, r.need("num_key_value_heads")?, r.need("attention_head_dim")?);
    b.matrix("attn_q", from, heads * dim);
    b.matrix("attn_k", from, kv * dim);
    b.matrix("attn_v", from, kv * dim);
    b.matrix("attn_output", heads * dim, hidden);
    b.vector("shared_attn_norm", from);
    b.vector("ffn_norm", hidden);
    ffn::dense(r, "", width, b)
}

/// `xLSTMBlock`: queries and keys narrower than values, a gate a head for input and forgetting, one as wide as the output.
pub(super) fn xlstm(r: &Reader<'_, '_>, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    let RunBody::One(Mixer::Mlstm(Mlstm { heads, qk_dim, v_dim })) = body else {
        return Err(unsupported("a layer of another kind"));
    };
    let (hidden, keys, values) = (r.hidden()?, heads * qk_dim, heads * v_dim);
    r.fields.ignore(&["ffn_proj_factor", "ffn_round_up_to_multiple_of", "gate_soft_cap"]);
    if r.bool("use_bias")? == Some(true) {
        return Err(unsupported("biases are not understood here"));
    }
    b.matrix("attn_q", hidden, keys);
    b.matrix("attn_k", hidden, keys);
    b.matrix("attn_v", hidden, values);
    b.matrix("attn_gate", hidden, values);
    b.linear("ssm_i", hidden, *heads, true);
    b.linear("ssm_f", hidden, *heads, true);
    b.vector("ssm_norm", values);
    b.matrix("attn_output", values, hidden);
    let width = raised(hidden, r.value("ffn_proj_factor"), r.need("ffn_round_up_to_multiple_of")?);
    let width =
        width.ok_or_else(|| PlanError::missing("ffn_proj_factor", "the block's width is not said"))?;
    ffn::dense(r, "", width, b)?;
    for norm in ["attn_norm", "ffn_norm"] {
        b.vector(norm, hidden);
    }
    Ok(())
}

/// `hidden × factor`, up to a multiple.
fn raised(hidden: u64, factor: Option<&Value>, multiple: u64) -> Option<u64> {
    let hidden = f64::from(u32::try_from(hidden).ok()?);
    let width: u64 = format!("{}", (hidden * factor?.as_f64()?).ceil()).parse().ok()?;
    (width > 0 && width < 1 << 24 && multiple > 0).then(|| width.next_multiple_of(multiple))
}
