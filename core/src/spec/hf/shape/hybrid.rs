//! Layers that are not attention and a feed-forward block one after the other: which family builds its own. Gemma 4,
//! Nemotron-H, Jamba, Granite 4 and Falcon-H1 stand here, the others in files of their kind. Their classes are
//! transformers 5.23.0's where nothing else is said; names are llama.cpp's.

use super::build::Build;
use super::law::{Ffn, Flag, Law, Moe, Mtp, QkNorm, SharedExperts, Sparse};
use super::{Reader, ffn, gemma3n, hyper, mixers, recurrent, twofold};
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::Mixer;

/// A hybrid family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hybrid {
    /// Window and full layers of two head widths, shared caches, experts beside a dense block, per-layer embeddings.
    Gemma4,
    /// One component a layer: Mamba-2, attention, a plain block or plain experts.
    NemotronH,
    /// Attention or Mamba-1, then a dense block or experts.
    Jamba,
    /// Attention or Mamba-2, then experts beside a shared block.
    Granite,
    /// Attention and Mamba-2 side by side, then a dense block.
    FalconH1,
    /// Window and full layers, shared caches, several predictions of the stream side by side.
    Gemma3n,
    /// Compressed attention, experts chosen by token in the first layers, several lanes of the stream.
    DeepSeekV4,
    /// Gated delta or latent attention with an indexer, several lanes of the stream.
    Glm5Next,
    /// Two attentions and two blocks a layer, experts beside them.
    LongCat,
    /// Attention, or cross-attention to an image.
    Mllama,
    /// Attention and block each there or not.
    Nas,
    /// Queries by way of a narrow shared one.
    Step3,
    /// Window and full layers with their own number of heads.
    Step35,
    /// Linear recurrence or windowed attention.
    Griffin,
    /// Mamba-2, and attention blocks that layers share.
    Zamba2,
    /// Matrix LSTM.
    XLstm,
}

const PLAIN: Law = Law { ffn_bias: Flag::Never, ..Law::LLAMA.bias(Flag::Never, Flag::Never) };

/// Experts whose layers are told by the family itself.
const fn experts(shared: SharedExperts, correction: Flag, gated: bool) -> Option<Moe> {
    Some(Moe { sparse: Sparse::All, shared, correction, biased: false, gated })
}

impl Hybrid {
    /// The family of a `model_type`.
    pub(super) fn of(model_type: &str) -> Option<Self> {
        Some(match model_type {
            "gemma4_text" => Self::Gemma4,
            "nemotron_h" => Self::NemotronH,
            "jamba" => Self::Jamba,
            "granitemoehybrid" => Self::Granite,
            "falcon_h1" => Self::FalconH1,
            "gemma3n_text" => Self::Gemma3n,
            "deepseek_v4" | "deepseek_ref" => Self::DeepSeekV4,
            "glm5_next_text" => Self::Glm5Next,
            "longcat_flash" => Self::LongCat,
            "mllama_text_model" => Self::Mllama,
            "nemotron-nas" => Self::Nas,
            "step3_text" => Self::Step3,
            "step3p5" | "step3p7" => Self::Step35,
            "recurrent_gemma" => Self::Griffin,
            "zamba2" => Self::Zamba2,
            "xlstm" => Self::XLstm,
            _ => return None,
        })
    }

    /// What its class has beside its layers' own parts.
    pub(super) const fn law(self) -> Law {
        match self {
            Self::Gemma4 => Law { tied: true, moe: experts(SharedExperts::None, Flag::Never, true), ..PLAIN },
            Self::NemotronH => Law {
                ffn: Ffn::Plain,
                moe: experts(SharedExperts::None, Flag::Always, false),
                mtp: Mtp::Shared,
                ..PLAIN
            },
            Self::Jamba => Law { moe: experts(SharedExperts::None, Flag::Never, true), ..PLAIN },
            Self::Granite => {
                Law { tied: true, moe: experts(SharedExperts::None, Flag::Never, true), ..PLAIN }
            }
            Self::FalconH1 | Self::LongCat | Self::Mllama | Self::Nas | Self::XLstm => PLAIN,
            Self::Gemma3n | Self::Zamba2 => Law { tied: true, ..PLAIN },
            Self::DeepSeekV4 => Law {
                moe: experts(SharedExperts::Count("n_shared_experts"), Flag::Always, true),
                mtp: Mtp::Shared,
                ..PLAIN
            },
            Self::Glm5Next => Law {
                mtp: Mtp::Shared,
                ..PLAIN.moe(Sparse::AfterDense, SharedExperts::Count("n_shared_experts"), Flag::Always)
            },
            Self::Step3 => Law { moe: experts(SharedExperts::None, Flag::Never, true), ..PLAIN },
            Self::Step35 => Law {
                moe: experts(SharedExperts::None, Flag::Always, true),
                qk_norm: QkNorm::Head,
                mtp: Mtp::Head,
                ..PLAIN
            },
            Self::Griffin => Law {
                tied: true,
                ffn_bias: Flag::Always,
                ..PLAIN.bias(Flag::Key("attention_bias", false), Flag::Always)
            },
        }
    }

    /// Adds layer `index`.
    pub(super) fn layer(
        self,
        r: &Reader<'_, '_>,
        index: usize,
        body: &RunBody,
        b: &mut Build,
    ) -> Result<(), PlanError> {
        match self {
            Self::Gemma4 => gemma4(r, index, body, b),
            Self::NemotronH => nemotron_h(r, index, body, b),
            Self::Jamba => {
                parts(r, body, b)?;
                let (period, offset) = (r.need("expert_layer_period")?, r.u64("expert_layer_offset")?);
                let sparse = u64::try_from(index).is_ok_and(|i| Some(i % period) == offset);
                block(r, sparse.then_some(r.need("intermediate_size")?), r.need("intermediate_size")?, b)?;
                two_norms(r, b)
            }
            Self::Granite => granite(r, body, b),
            Self::FalconH1 => {
                parts(r, body, b)?;
                r.fields.ignore(&["mamba_use_mlp", "projectors_bias"]);
                ffn::dense(r, "", r.need("intermediate_size")?, b)?;
                two_norms(r, b)
            }
            Self::Gemma3n => gemma3n::layer(r, b),
            Self::DeepSeekV4 => hyper::deepseek_v4(r, index, body, b),
            Self::Glm5Next => hyper::glm5_next(r, index, body, b),
            Self::LongCat => twofold::longcat(r, body, b),
            Self::Mllama => twofold::mllama(r, body, b),
            Self::Nas => twofold::nas(r, index, body, b),
            Self::Step3 => twofold::step3(r, index, body, b),
            Self::Step35 => twofold::step3p5(r, index, body, b),
            Self::Griffin => recurrent::griffin(r, body, b),
            Self::Zamba2 => recurrent::zamba2(r, index, body, b),
            Self::XLstm => recurrent::xlstm(r, body, b),
        }
    }

    /// Adds what stands outside the layers beside embeddings, output norm and head.
    pub(super) fn outside(self, r: &Reader<'_, '_>, layers: usize, b: &mut Build) -> Result<(), PlanError> {
        match self {
            Self::Gemma4 => per_layer_outside(r, layers, b),
            Self::Gemma3n => {
                per_layer_outside(r, layers, b)?;
                gemma3n::outside(r, b)
            }
            Self::DeepSeekV4 => hyper::outside(r, b),
            Self::Mllama => twofold::mllama_outside(r, b),
            Self::NemotronH
            | Self::Jamba
            | Self::Granite
            | Self::FalconH1
            | Self::Glm5Next
            | Self::LongCat
            | Self::Nas
            | Self::Step3
            | Self::Step35
            | Self::Griffin
            | Self::Zamba2
            | Self::XLstm => Ok(()),
        }
    }
}

/// Gemma's embeddings for every layer, and their way into the stream.
fn per_layer_outside(r: &Reader<'_, '_>, layers: usize, b: &mut Build) -> Result<(), PlanError> {
    let Some(width) = per_layer(r)? else { return Ok(()) };
    let all = u64::try_from(layers).ok().and_then(|n| n.checked_mul(width));
    let all = all.ok_or(crate::unit::Overflow)?;
    b.matrix("per_layer_token_embd", all, r.need("vocab_size_per_layer_input")?);
    b.matrix("per_layer_model_proj", r.hidden()?, all);
    b.vector("per_layer_proj_norm", width);
    Ok(())
}

/// The mixers of a layer, one or side by side.
fn parts(r: &Reader<'_, '_>, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    match body {
        RunBody::One(mixer) => mixers::add(r, mixer, b),
        RunBody::Hybrid { mixers } => mixers.iter().try_for_each(|mixer| mixers::add(r, mixer, b)),
        RunBody::None | RunBody::Pattern { .. } => {
            Err(PlanError::unsupported("layer_types", "a layer without a mixer is not understood here"))
        }
    }
}

fn two_norms(r: &Reader<'_, '_>, b: &mut Build) -> Result<(), PlanError> {
    let hidden = r.hidden()?;
    b.vector("attn_norm", hidden);
    b.vector("ffn_norm", hidden);
    Ok(())
}

/// Experts `sparse` wide where there are any, else a dense block.
fn block(r: &Reader<'_, '_>, sparse: Option<u64>, dense: u64, b: &mut Build) -> Result<(), PlanError> {
    match (sparse, r.law.moe) {
        (Some(width), Some(moe)) => ffn::routed(r, &moe, r.hidden()?, width, b),
        (Some(_) | None, _) => ffn::dense(r, "", dense, b),
    }
}

/// The width of Gemma's per-layer embeddings, where the model has them.
fn per_layer(r: &Reader<'_, '_>) -> Result<Option<u64>, PlanError> {
    let width = r.u64("hidden_size_per_layer_input")?.filter(|n| *n > 0);
    if width.is_none() {
        r.fields.ignore(&["vocab_size_per_layer_input"]);
    }
    Ok(width)
}

/// `Gemma4TextDecoderLayer`: layers that share a cache have no keys and values of their own and, where the config says
/// so, a block twice as wide; full layers may use their keys as values.
fn gemma4(r: &Reader<'_, '_>, index: usize, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    let (hidden, heads) = (r.hidden()?, r.heads()?);
    let types = r.strings("layer_types")?.unwrap_or_default();
    let full = match types.get(index) {
        Some(&"full_attention") => true,
        Some(&"sliding_attention") => false,
        Some(_) | None => return Err(PlanError::missing("layer_types", "`layer_types` orders the layers")),
    };
    let dim = r.need(if full { "global_head_dim" } else { "head_dim" })?;
    let shares = matches!(body, RunBody::One(Mixer::Shared(_)));
    let merged = full && r.bool("attention_k_eq_v")? == Some(true);
    let global = if merged { r.u64("num_global_key_value_heads")?.filter(|n| *n > 0) } else { None };
    let kv = match global {
        Some(heads) => heads,
        None => r.need("num_key_value_heads")?,
    };
    b.matrix("attn_q", hidden, heads * dim);
    b.matrix("attn_output", heads * dim, hidden);
    b.vector("attn_q_norm", dim);
    if !shares {
        b.matrix("attn_k", hidden, kv * dim);
        b.vector("attn_k_norm", dim);
        if !merged {
            b.matrix("attn_v", hidden, kv * dim);
        }
    }
    let wide = shares && r.bool("use_double_wide_mlp")? == Some(true);
    ffn::dense(r, "", r.need("intermediate_size")? * if wide { 2 } else { 1 }, b)?;
    for norm in ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"] {
        b.vector(norm, hidden);
    }
    b.vector("layer_output_scale", 1);
    r.fields.ignore(&["use_double_wide_mlp", "num_global_key_value_heads"]);
    if r.bool("enable_moe_block")? == Some(true)
        && let Some(moe) = r.law.moe
    {
        let width = r.need_first(&["moe_intermediate_size", "expert_intermediate_size"])?;
        ffn::routed(r, &moe, hidden, width, b)?;
        b.vector("ffn_gate_inp.scale", hidden);
        b.vector("ffn_down_exps.scale", ffn::count(r)?);
        for norm in ["post_ffw_norm_1", "pre_ffw_norm_2", "post_ffw_norm_2"] {
            b.vector(norm, hidden);
        }
    } else {
        r.fields.ignore(&[
            "num_experts",
            "top_k_experts",
            "moe_intermediate_size",
            "expert_intermediate_size",
        ]);
    }
    if let Some(width) = per_layer(r)? {
        b.matrix("inp_gate", hidden, width);
        b.matrix("proj", width, hidden);
        b.vector("post_norm", hidden);
    }
    Ok(())
}

/// What a layer is, as `layers_block_type` names it.
fn components(r: &Reader<'_, '_>, letters: &str, names: &str) -> Result<Vec<String>, PlanError> {
    let named = |letter: char| match letter {
        'M' => "mamba".to_owned(),
        '*' => "attention".to_owned(),
        'E' => "moe".to_owned(),
        '-' => "mlp".to_owned(),
        other => other.to_string(),
    };
    Ok(match r.fields.str(letters)? {
        Some(pattern) => pattern.chars().map(named).collect(),
        None => r.strings(names)?.unwrap_or_default().into_iter().map(str::to_owned).collect(),
    })
}

/// `NemotronHBlock`: one norm and one component; a prediction layer is one of each of its list's.
fn nemotron_h(r: &Reader<'_, '_>, index: usize, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    // Which function, not which matrices: its blocks have no gate. Of Mamba-1, which the family does not have.
    r.fields.ignore(&["mlp_hidden_act", "time_step_rank"]);
    let trunk = components(r, "hybrid_override_pattern", "layers_block_type")?;
    if let Some(component) = trunk.get(index) {
        b.vector("attn_norm", r.hidden()?);
        return component_of(r, component, body, b);
    }
    let once = components(r, "mtp_hybrid_override_pattern", "mtp_layers_block_type")?;
    let [mixer, block] = once.as_slice() else {
        let message = "a prediction layer of other than a mixer and a block is not understood here";
        return Err(PlanError::unsupported("mtp_layers_block_type", message));
    };
    b.vector("attn_norm", r.hidden()?);
    component_of(r, mixer, body, b)?;
    b.vector("ffn_norm", r.hidden()?);
    component_of(r, block, &RunBody::None, b)
}

fn component_of(r: &Reader<'_, '_>, component: &str, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    match (component, body, r.law.moe) {
        ("mamba" | "linear_attention" | "attention" | "full_attention", RunBody::One(mixer), _) => {
            mixers::add(r, mixer, b)
        }
        ("mlp", RunBody::None, _) => ffn::dense(r, "", r.need("intermediate_size")?, b),
        ("moe", RunBody::None, Some(moe)) => {
            let (hidden, latent) = (r.hidden()?, r.u64("moe_latent_size")?.filter(|n| *n > 0));
            ffn::routed(r, &moe, latent.unwrap_or(hidden), r.need("moe_intermediate_size")?, b)?;
            if let Some(latent) = latent {
                b.matrix("ffn_latent_down", hidden, latent);
                b.matrix("ffn_latent_up", latent, hidden);
            }
            if let Some(shared) = r.u64("n_shared_experts")?.filter(|n| *n > 0) {
                ffn::dense(r, "_shexp", shared * r.need("moe_shared_expert_intermediate_size")?, b)?;
            }
            r.fields.ignore(&["moe_shared_expert_overlap"]);
            Ok(())
        }
        (other, ..) => {
            let message = format!("what a `{other}` layer weighs is not understood here");
            Err(PlanError::unsupported("layers_block_type", message))
        }
    }
}

/// `GraniteMoeHybridDecoderLayer`: experts, where there are any, beside a block that every token reads.
fn granite(r: &Reader<'_, '_>, body: &RunBody, b: &mut Build) -> Result<(), PlanError> {
    parts(r, body, b)?;
    // Said also of models without a Mamba layer.
    r.fields.ignore(&["mamba_conv_bias", "mamba_proj_bias"]);
    let experts = r.u64("num_local_experts")?.filter(|n| *n > 0);
    match (experts, r.law.moe) {
        (Some(_), Some(moe)) => {
            ffn::routed(r, &moe, r.hidden()?, r.need("intermediate_size")?, b)?;
            ffn::dense(r, "_shexp", r.need("shared_intermediate_size")?, b)?;
        }
        (Some(_) | None, _) => {
            r.fields.ignore(&["num_experts_per_tok", "intermediate_size"]);
            ffn::dense(r, "", r.need("shared_intermediate_size")?, b)?;
        }
    }
    two_norms(r, b)
}
