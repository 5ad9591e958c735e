//! Records of the kvcache.ai calculator: no `model_type`, but `_formula` names the law of the cache.

use super::dense::{self, Dense, WindowLaw};
use super::dims::{Gqa, HeadDim, KvHeads, Layers, layer_count};
use super::fields::Fields;
use super::{delta, mla};
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Mixer, Shared};

/// The law a record names.
pub(super) fn import(fields: &Fields<'_>, formula: &str) -> Result<Layers, PlanError> {
    fields.assume("a transcription of cache-relevant fields, not the publisher's file");
    match formula {
        "standard_gqa" => {
            let law = Dense { kv: KvHeads::Named, head_dim: HeadDim::Named, window: WindowLaw::Switched };
            dense::import(fields, law)
        }
        "mixed_full_sliding_gqa" => mixed(fields),
        "mla" => mla::import(fields),
        "qwen_linear_full_hybrid" => delta::qwen(fields),
        other => {
            let message = format!("a record of the formula `{other}` is not understood");
            Err(fields.unsupported("_formula", message))
        }
    }
}

/// Windows and full layers by count; the order by `sliding_window_pattern` where the record has it.
fn mixed(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let window = fields.need("sliding_window")?;
    let (kv_heads, head_dim) = (fields.need("num_key_value_heads")?, fields.need("head_dim")?);
    let v_dim = fields.positive("v_head_dim")?.unwrap_or(head_dim);
    let wide = fields.positive("global_head_dim")?;
    let full = Gqa {
        kv_heads: fields.positive("num_global_key_value_heads")?.unwrap_or(kv_heads),
        k_dim: wide.unwrap_or(head_dim),
        v_dim: wide.unwrap_or(v_dim),
    };
    let local = Gqa {
        kv_heads: fields.positive("swa_num_key_value_heads")?.unwrap_or(kv_heads),
        k_dim: fields.positive("swa_head_dim")?.unwrap_or(head_dim),
        v_dim: fields.positive("swa_v_head_dim")?.unwrap_or(v_dim),
    };
    fields.ignore(&["sliding_window_size", "swa_num_attention_heads"]);
    let shared = fields.u64("num_kv_shared_layers")?.unwrap_or(0);
    let count = |key: &str| -> Result<usize, PlanError> {
        let n = fields.u64(key)?.ok_or_else(|| fields.missing(key, format!("`{key}` is absent")))?;
        usize::try_from(n)
            .ok()
            .filter(|n| *n <= layers)
            .ok_or_else(|| fields.invalid(key, format!("of {layers} layers")))
    };
    let (fulls, windows) = (count("full_attention_layers")?, count("sliding_attention_layers")?);
    let shared = usize::try_from(shared).unwrap_or(usize::MAX);
    if fulls.checked_add(windows).and_then(|n| n.checked_add(shared)) != Some(layers) {
        let message = format!("{fulls} full, {windows} window and {shared} shared layers are not {layers}");
        return Err(fields.invalid("num_hidden_layers", message));
    }
    let mut is_full: Vec<bool> = (0..fulls + windows).map(|i| i >= windows).collect();
    match fields.positive("sliding_window_pattern")?.and_then(|p| usize::try_from(p).ok()) {
        Some(period) => is_full = (1..=is_full.len()).map(|i| i.is_multiple_of(period)).collect(),
        None => fields.assume("the order of the layers is unknown: windows are written first"),
    }
    let body = |full_layer: bool| RunBody::One(if full_layer { full.full() } else { local.window(window) });
    let mut trunk: Vec<RunBody> = is_full.into_iter().map(body).collect();
    trunk.extend(vec![RunBody::One(Mixer::Shared(Shared { window: None })); shared]);
    if shared > 0 {
        fields.assume("which of the shared layers are windowed is unknown: they are written as full");
    }
    Ok(Layers::of(trunk))
}
