//! Models whose residual stream runs in several lanes (hyper-connections): DeepSeek V4 and GLM 5.3 Flash. Their classes
//! are transformers 5.23.0's; V4's prediction layers, which that class leaves out, are settled by the published count.

use super::build::Build;
use super::{Reader, ffn, mixers};
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Compressed, Mixer};

/// Lanes of the residual stream.
fn lanes(r: &Reader<'_, '_>) -> Result<u64, PlanError> {
    r.need("hc_mult")
}

/// What mixes the lanes before and after attention and block: for `n` lanes, `n` weights in, `n` out and `n × n` across.
fn connections(r: &Reader<'_, '_>, b: &mut Build) -> Result<(), PlanError> {
    let (n, hidden) = (lanes(r)?, r.hidden()?);
    for part in ["attn", "ffn"] {
        b.matrix(format!("hc_{part}_fn"), n * hidden, (2 + n) * n);
        b.vector(format!("hc_{part}_base"), (2 + n) * n);
        b.vector(format!("hc_{part}_scale"), 3);
    }
    Ok(())
}

/// What joins the lanes into one (`DeepseekV4HyperHead`).
fn join(r: &Reader<'_, '_>, name: &str, b: &mut Build) -> Result<(), PlanError> {
    let (n, hidden) = (lanes(r)?, r.hidden()?);
    b.matrix(format!("{name}_fn"), n * hidden, n);
    b.vector(format!("{name}_base"), n);
    b.vector(format!("{name}_scale"), 1);
    Ok(())
}

/// Adds what V4 has after its layers.
pub(super) fn outside(r: &Reader<'_, '_>, b: &mut Build) -> Result<(), PlanError> {
    join(r, "output_hc", b)
}

/// `DeepseekV4DecoderLayer`; a prediction layer joins its lanes by itself.
pub(super) fn deepseek_v4(
    r: &Reader<'_, '_>,
    index: usize,
    body: &RunBody,
    b: &mut Build,
) -> Result<(), PlanError> {
    // What the cache's rule and the numerics read.
    r.fields.ignore(&["compress_ratios", "hc_eps", "hc_sinkhorn_iters", "expert_dtype"]);
    let RunBody::One(Mixer::Compressed(mixer)) = body else {
        return Err(PlanError::unsupported("compress_ratios", "a layer of another kind"));
    };
    attention(r, mixer, b)?;
    connections(r, b)?;
    two_norms(r, b)?;
    let moe = r.law.moe.ok_or_else(|| PlanError::unsupported("model_type", "no experts"))?;
    ffn::experts(r, &moe, b)?;
    let layer = u64::try_from(index).unwrap_or(u64::MAX);
    if layer >= r.need("num_hidden_layers")? {
        return join(r, "nextn.hc", b);
    }
    if layer < r.u64("num_hash_layers")?.unwrap_or(0) {
        // A table from token to experts stands in for the bias of their choice.
        b.drop("exp_probs_b");
        b.matrix("ffn_gate_tid2eid", ffn::used(r)?, r.vocab()?);
    }
    Ok(())
}

/// `DeepseekV4Attention`: one key that is its own value, a compressor where the layer compresses, an indexer where it chooses.
fn attention(r: &Reader<'_, '_>, a: &Compressed, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, heads, rank) = (r.hidden()?, r.heads()?, r.need("q_lora_rank")?);
    let (groups, out_rank) = (r.need("o_groups")?, r.need("o_lora_rank")?);
    b.matrix("attn_q_a", hidden, rank);
    b.vector("attn_q_a_norm", rank);
    b.matrix("attn_q_b", rank, heads * a.dim);
    b.matrix("attn_kv", hidden, a.dim);
    b.vector("attn_kv_norm", a.dim);
    b.matrix("attn_output_a", heads * a.dim / groups, groups * out_rank);
    b.matrix("attn_output_b", groups * out_rank, hidden);
    b.vector("attn_sinks", heads);
    if a.ratio > 0 {
        // Where groups of tokens overlap, each is compressed twice as wide.
        let wide = if a.indexer_dim.is_some() { 2 } else { 1 };
        compressor(hidden, "attn", a.dim, wide * a.dim, a.ratio, b);
    }
    let (indexers, width) = (r.need("index_n_heads")?, r.need("index_head_dim")?);
    if let Some(dim) = a.indexer_dim.filter(|dim| *dim == width) {
        compressor(hidden, "indexer.", dim, 2 * dim, a.ratio, b);
        b.matrix("indexer.attn_q_b", rank, indexers * dim);
        b.matrix("indexer.proj", hidden, indexers);
    }
    Ok(())
}

fn compressor(hidden: u64, name: &str, dim: u64, width: u64, ratio: u64, b: &mut Build) {
    let name = if name.ends_with('.') { name.to_owned() } else { format!("{name}_") };
    b.matrix(format!("{name}compress_kv"), hidden, width);
    b.matrix(format!("{name}compress_gate"), hidden, width);
    b.matrix(format!("{name}compress_ape"), width, ratio);
    b.vector(format!("{name}compress_norm"), dim);
}

/// `Glm5NextTextDecoderLayer`: gated delta layers without and latent ones with an indexer over pooled keys.
pub(super) fn glm5_next(
    r: &Reader<'_, '_>,
    index: usize,
    body: &RunBody,
    b: &mut Build,
) -> Result<(), PlanError> {
    r.fields.ignore(&["hc_eps", "hc_sinkhorn_iters", "index_kpool_always_select_tail"]);
    let RunBody::One(mixer) = body else {
        return Err(PlanError::unsupported("layer_types", "a layer of several mixers"));
    };
    mixers::add(r, mixer, b)?;
    connections(r, b)?;
    two_norms(r, b)?;
    ffn::add(r, index, b)
}

fn two_norms(r: &Reader<'_, '_>, b: &mut Build) -> Result<(), PlanError> {
    for name in ["attn_norm", "ffn_norm"] {
        b.vector(name, r.hidden()?);
    }
    Ok(())
}
