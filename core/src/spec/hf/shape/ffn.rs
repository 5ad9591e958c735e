//! The feed-forward block of a layer: dense, or routed experts with a router and shared ones.

use super::Reader;
use super::build::Build;
use super::law::{Ffn, FfnWidth, Moe, SharedExperts, Sparse};
use crate::error::PlanError;

const EXPERTS: &[&str] = &["num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"];
const USED: &[&str] = &[
    "num_experts_per_tok",
    "num_experts_per_token",
    "experts_per_token",
    "moe_topk",
    "moe_k",
    "moe_top_k",
    "top_k_experts",
];
const WIDTH: &[&str] = &["moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size"];

/// Adds layer `index`'s block.
pub(super) fn add(r: &Reader<'_, '_>, index: usize, b: &mut Build) -> Result<(), PlanError> {
    match r.law.moe {
        Some(moe) if has_experts(r, &moe, index)? => experts(r, &moe, b),
        Some(_) | None => {
            let width = width(r)?;
            dense(r, "", width, b)
        }
    }
}

fn width(r: &Reader<'_, '_>) -> Result<u64, PlanError> {
    match r.law.width {
        FfnWidth::Named => r.need_first(&["intermediate_size_mlp", "intermediate_size"]),
        FfnWidth::Key(key) => r.need(key),
        FfnWidth::OrTimes(key, n) => Ok(r.u64(key)?.unwrap_or(n * r.hidden()?)),
        FfnWidth::Adjusted => adjusted(r),
        FfnWidth::Halved => Ok(r.need("intermediate_size")? / 2),
    }
}

/// LFM2 (transformers 5.23.0, `Lfm2MLP`): two thirds, times a multiplier, up to a multiple.
fn adjusted(r: &Reader<'_, '_>) -> Result<u64, PlanError> {
    let width = r.need_first(&["block_ff_dim", "intermediate_size"])?;
    r.fields.ignore(&["intermediate_size", "block_ff_dim", "block_mlp_init_scale", "block_use_swiglu"]);
    if r.bool("block_auto_adjust_ff_dim")? == Some(false) {
        return Ok(width);
    }
    if r.value("block_ffn_dim_multiplier").is_some_and(|v| v.as_f64() != Some(1.0)) {
        return Err(PlanError::unsupported(
            "block_ffn_dim_multiplier",
            "`block_ffn_dim_multiplier` is not 1",
        ));
    }
    let multiple = r.u64("block_multiple_of")?.unwrap_or(256).max(1);
    Ok((2 * width / 3).next_multiple_of(multiple))
}

/// A dense block, its names ending in `suffix`.
pub(super) fn dense(r: &Reader<'_, '_>, suffix: &str, width: u64, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, bias) = (r.hidden()?, r.flag(r.law.ffn_bias)?);
    match r.law.ffn {
        Ffn::Gated => {
            b.linear(&format!("ffn_gate{suffix}"), hidden, width, bias);
            b.linear(&format!("ffn_up{suffix}"), hidden, width, bias);
        }
        Ffn::GatedFused => b.linear(&format!("ffn_up{suffix}"), hidden, 2 * width, bias),
        Ffn::Plain => b.linear(&format!("ffn_up{suffix}"), hidden, width, bias),
    }
    b.linear(&format!("ffn_down{suffix}"), width, hidden, bias);
    Ok(())
}

/// Experts a token reads.
pub(super) fn used(r: &Reader<'_, '_>) -> Result<u64, PlanError> {
    let used = r.need_first(USED);
    r.fields.ignore(USED);
    used
}

/// How many routed experts a sparse layer has.
pub(super) fn count(r: &Reader<'_, '_>) -> Result<u64, PlanError> {
    r.need_first(EXPERTS)
}

/// Adds experts, router, and shared experts.
pub(super) fn experts(r: &Reader<'_, '_>, moe: &Moe, b: &mut Build) -> Result<(), PlanError> {
    let width = match r.first_number(WIDTH) {
        Some(width) => width,
        None => r.need("intermediate_size")?,
    };
    let hidden = r.hidden()?;
    // Kimi K3: experts from and to a narrower vector than the layer's.
    let latent = r.u64("routed_expert_hidden_size")?.filter(|n| *n > 0);
    routed(r, moe, latent.unwrap_or(hidden), width, b)?;
    if let Some(latent) = latent {
        b.matrix("ffn_latent_down", hidden, latent);
        b.matrix("ffn_latent_up", latent, hidden);
        if r.bool("latent_moe_use_norm")? == Some(true) {
            b.vector("ffn_latent_norm", latent);
        }
    }
    shared(r, moe, width, b)
}

/// Adds a router over the layer's width, and experts of `width` from and to vectors of `from`.
pub(super) fn routed(
    r: &Reader<'_, '_>,
    moe: &Moe,
    from: u64,
    width: u64,
    b: &mut Build,
) -> Result<(), PlanError> {
    let count = count(r)?;
    used(r)?;
    b.linear("ffn_gate_inp", r.hidden()?, count, moe.biased);
    if r.flag(moe.correction)? {
        b.vector("exp_probs_b", count);
    }
    let mut stack = |name: &str, from: u64, to: u64| {
        b.stack(name, from, to, count);
        if moe.biased {
            b.matrix(format!("{name}.bias"), to, count);
        }
    };
    if moe.gated {
        stack("ffn_gate_exps", from, width);
    }
    stack("ffn_up_exps", from, width);
    stack("ffn_down_exps", width, from);
    Ok(())
}

/// Adds the experts that every token reads.
fn shared(r: &Reader<'_, '_>, moe: &Moe, width: u64, b: &mut Build) -> Result<(), PlanError> {
    match moe.shared {
        SharedExperts::None => {}
        SharedExperts::One => dense(r, "_shexp", width, b)?,
        SharedExperts::Count(key) => match r.number(key) {
            Some(0) | None => {}
            Some(n) => match r.u64("moe_shared_expert_intermediate_size")? {
                Some(each) if r.family == "bailing_moe" => dense(r, "_shexp", n * each, b)?,
                Some(_) | None => dense(r, "_shexp", n * width, b)?,
            },
        },
        SharedExperts::Gated(key) => {
            dense(r, "_shexp", r.need(key)?, b)?;
            b.vector("ffn_gate_inp_shexp", r.hidden()?);
        }
    }
    Ok(())
}

fn has_experts(r: &Reader<'_, '_>, moe: &Moe, index: usize) -> Result<bool, PlanError> {
    let layer = u64::try_from(index).unwrap_or(u64::MAX);
    let at = |key: &str| r.u64(key);
    Ok(match moe.sparse {
        Sparse::All => true,
        Sparse::AfterDense => {
            if let Some(types) = r.strings("mlp_layer_types")? {
                r.fields.ignore(&["first_k_dense_replace", "moe_layer_freq"]);
                // A list for the trunk says nothing of a prediction layer, which is sparse.
                return Ok(types.get(index).copied() != Some("dense"));
            }
            let first = at("first_k_dense_replace")?.unwrap_or(0);
            let every = at("moe_layer_freq").ok().flatten().unwrap_or(1).max(1);
            layer >= first && layer.is_multiple_of(every)
        }
        Sparse::Step => {
            let only = r.numbers("mlp_only_layers")?.unwrap_or_default();
            let step = at("decoder_sparse_step")?.unwrap_or(1);
            !only.contains(&layer) && step > 0 && (layer + 1).is_multiple_of(step)
        }
        Sparse::Interleaved => match r.numbers("moe_layers")? {
            Some(listed) => listed.contains(&layer),
            None => {
                let step = r.need("interleave_moe_layer_step")?;
                (layer + 1).is_multiple_of(step)
            }
        },
        Sparse::Interval => {
            let first = at("moe_layer_start_index")?.unwrap_or(1);
            let last = at("moe_layer_end_index").ok().flatten().unwrap_or(u64::MAX);
            let step = at("moe_layer_interval")?.unwrap_or(1).max(1);
            layer >= first && layer <= last && (layer + 1).is_multiple_of(step)
        }
        Sparse::NumDense => layer >= at("num_dense_layers")?.unwrap_or(0),
        Sparse::Listed(key) => {
            let listed = r.numbers(key)?.ok_or_else(|| {
                PlanError::missing(key, format!("`{key}` says which layers have experts, and is absent"))
            })?;
            r.fields.ignore(&["first_k_dense_replace"]);
            listed.get(index) != Some(&0)
        }
        Sparse::IfCounted => r.first_number(EXPERTS).is_some(),
    })
}
