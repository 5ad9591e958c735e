//! Gemma 3n: several predictions of the residual stream beside each other, a low-rank side path, per-layer embeddings.
//! Its class is transformers 5.23.0's; names are llama.cpp's.

use super::build::Build;
use super::{Reader, ffn};
use crate::error::PlanError;

/// `Gemma3nTextDecoderLayer`. The published checkpoint has keys and values also in layers that share a cache.
pub(super) fn layer(r: &Reader<'_, '_>, b: &mut Build) -> Result<(), PlanError> {
    r.fields.ignore(&["altup_active_idx", "altup_coef_clip", "altup_correct_scale"]);
    let (hidden, heads) = (r.hidden()?, r.heads()?);
    let (kv, dim, lanes) = (r.need("num_key_value_heads")?, r.need("head_dim")?, r.need("altup_num_inputs")?);
    b.matrix("attn_q", hidden, heads * dim);
    b.matrix("attn_k", hidden, kv * dim);
    b.matrix("attn_v", hidden, kv * dim);
    b.matrix("attn_output", heads * dim, hidden);
    b.vector("attn_q_norm", dim);
    b.vector("attn_k_norm", dim);
    ffn::dense(r, "", r.need("intermediate_size")?, b)?;
    for norm in ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"] {
        b.vector(norm, hidden);
    }
    b.matrix("altup_correct_coef", lanes, lanes);
    b.matrix("altup_predict_coef", lanes, lanes * lanes);
    b.vector("altup_correct_scale", hidden);
    b.matrix("altup_router", hidden, lanes);
    b.vector("altup_router_norm", hidden);
    let rank = r.need("laurel_rank")?;
    b.matrix("laurel_l", hidden, rank);
    b.matrix("laurel_r", rank, hidden);
    b.vector("laurel_post_norm", hidden);
    let width = r.need("hidden_size_per_layer_input")?;
    b.matrix("inp_gate", hidden, width);
    b.matrix("proj", width, hidden);
    b.vector("post_norm", hidden);
    Ok(())
}

/// Adds the projections between the predictions, beside Gemma's per-layer embeddings.
pub(super) fn outside(r: &Reader<'_, '_>, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, lanes) = (r.hidden()?, r.need("altup_num_inputs")?);
    let more = lanes.saturating_sub(1).max(1);
    b.stack("altup_proj", hidden, hidden, more);
    b.stack("altup_unembd_proj", hidden, hidden, more);
    Ok(())
}
