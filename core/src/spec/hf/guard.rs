//! The refusal of what a rule did not read: a key that decides a cache somewhere is never ignored.

use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::Mixer;
use serde_json::Value;

/// Keys that decide what is cached in some family: layer orders, windows, ranks, states, head counts under other names.
const KEYS: &[&str] = &[
    "layer_types",
    "layers_block_type",
    "block_types",
    "block_configs",
    "hybrid_override_pattern",
    "hybrid_layer_pattern",
    "hybrid_layer_ids",
    "attn_type_list",
    "full_attn_idxs",
    "full_attention_interval",
    "full_attention_layers",
    "sliding_attention_layers",
    "attn_layer_period",
    "attn_layer_offset",
    "attn_layer_indices",
    "layer_group_size",
    "_layer_type_counts",
    "_sliding_window_pattern",
    "use_sliding_window",
    "attention_window_size",
    "attention_chunk_size",
    "kv_lora_rank",
    "qk_rope_head_dim",
    "use_mla",
    "v_head_dim",
    "attention_head_dim",
    "kv_channels",
    "d_kv",
    "global_head_dim",
    "num_global_key_value_heads",
    "num_kv_shared_layers",
    "use_cla",
    "cla_share_factor",
    "multi_query",
    "multi_query_attention",
    "multi_query_group_num",
    "new_decoder_architecture",
    "num_kv_heads",
    "n_kv_heads",
    "n_head_kv",
    "num_attention_groups",
    "attn_config",
    "attention_other_setting",
    "ssm_state_size",
    "ssm_cfg",
    "state_size",
    "conv_kernel",
    "conv_L_cache",
    "short_conv_kernel_size",
    "conv1d_width",
    "head_size",
    "cross_attention_layers",
    "add_cross_attention",
    "is_encoder_decoder",
    "decoder_layers",
    "num_decoder_layers",
    "sparse_config",
    "use_bidirectional_attention",
    "num_loops",
    "total_ut_steps",
];

/// Beginnings of such keys.
const PREFIXES: &[&str] = &[
    "sliding_window",
    "swa_",
    "mamba_",
    "linear_",
    "kda_",
    "lru_",
    "index_",
    "indexer_",
    "compress_",
    "sparse_attention",
    "blocksparse_",
    "rwkv_",
];

/// Keys that look so but say nothing about what is kept.
const HARMLESS: &[&str] = &["mamba_ssm_dtype", "mamba_ssm_cache_dtype"];

/// Refuses the first cache-deciding key that the family's rule did not read, unless its value switches it off.
pub(super) fn refuse_unread(fields: &Fields<'_>, family: &str) -> Result<(), PlanError> {
    if fields.bool("is_causal")? == Some(false) {
        let message = "an encoder that attends in both directions keeps no cache, and is not understood here";
        return Err(fields.unsupported("is_causal", message));
    }
    for (key, value) in fields.unread() {
        let deciding = KEYS.contains(&key.as_str()) || PREFIXES.iter().any(|p| key.starts_with(p));
        if deciding && !HARMLESS.contains(&key.as_str()) && !is_off(value) {
            let message =
                format!("`{key}` decides what is cached, and the rule for `{family}` does not know it");
            return Err(fields.unsupported(key, message));
        }
    }
    Ok(())
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(n) => n.as_u64() == Some(0),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::String(_) => false,
    }
}

/// Transcriptions that count their layers by kind must count what the rule finds.
pub(super) fn counts_agree(fields: &Fields<'_>, trunk: &[RunBody]) -> Result<(), PlanError> {
    let owned = |wanted: fn(&Mixer) -> bool| {
        let has = |body: &&RunBody| match body {
            RunBody::One(mixer) => wanted(mixer),
            RunBody::Hybrid { mixers } => mixers.iter().any(wanted),
            RunBody::None | RunBody::Pattern { .. } => false,
        };
        trunk.iter().filter(has).count()
    };
    let full = owned(|m| matches!(m, Mixer::Full(_) | Mixer::Mla(_)));
    let sliding = owned(|m| matches!(m, Mixer::Window(_) | Mixer::Chunk(_)));
    let linear =
        owned(|m| matches!(m, Mixer::GatedDelta(_) | Mixer::Kda(_) | Mixer::Lightning(_) | Mixer::Mamba2(_)));
    let kinds = [
        ("full_attention_layers", full),
        ("sliding_attention_layers", sliding),
        ("linear_attention_layers", linear),
    ];
    for (key, found) in kinds {
        if fields.u64(key)?.is_some_and(|said| usize::try_from(said) != Ok(found)) {
            return Err(fields.invalid(key, format!("`{key}` contradicts the {found} such layers found")));
        }
    }
    Ok(())
}
