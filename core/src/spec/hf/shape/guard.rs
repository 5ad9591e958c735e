//! The refusal of keys that decide weights and that a family's law did not read.

use crate::error::PlanError;
use crate::spec::hf::fields::Fields;
use serde_json::Value;

/// Parts of such keys.
const PARTS: &[&str] = &[
    "expert",
    "moe",
    "bias",
    "_rank",
    "intermediate",
    "ffn",
    "mlp",
    "altup",
    "laurel",
    "per_layer",
    "sink",
    "gate",
    "qk_norm",
    "k_eq_v",
    "proj_dim",
    "gating",
    "smear",
    "engram",
    "ple_",
    "hc_mult",
    "embed_proj",
    "attn_res",
    "adapter",
    "mem_blocks",
];

/// Keys that look so and decide no tensor: routing, losses, initialisation, parallelism, quantization's own notes.
const HARMLESS: &[&str] = &[
    "aux_loss",
    "loss_coef",
    "loss_alpha",
    "router_jitter",
    "jitter",
    "norm_topk",
    "n_group",
    "expert_group",
    "group_limited",
    "routed_scaling",
    "router_logits",
    "router_dtype",
    "parallel_size",
    "ep_size",
    "moe_router_dtype",
    "topk_method",
    "topk_group",
    "capacity",
    "dropout",
    "scoring",
    "score_f",
    "token_dispatcher",
    "layernorm_compute",
    "pretraining",
    "attn_bias_init",
    "max_bias",
    "moe_group_topk",
    "drop_tokens",
    "load_balanc",
    "fp32",
    "multiplier",
    "warmup",
    "apply_",
    "renormalize",
    "swiglu_limit",
    "activation",
    "router_scaling",
    "router_enable_",
    "moe_implementation",
    "expert_parallel",
    "use_moe",
    "alpha",
    "init",
    "moe_norm_min",
    "mlp_type",
    "router_bias",
    "moe_use_hard",
    "moe_num_attn",
    "moe_multimodal",
    "moe_gate",
    "expert_selection",
    "pad_sequence",
];

/// Refuses the first such key whose value does not switch it off.
pub(super) fn refuse_unread(fields: &Fields<'_>, family: &str) -> Result<(), PlanError> {
    for (key, value) in fields.unread() {
        let deciding =
            PARTS.iter().any(|part| key.contains(part)) && !HARMLESS.iter().any(|part| key.contains(part));
        if deciding && !is_off(value) {
            let message = format!("`{key}` decides weights, and the law for `{family}` does not know it");
            return Err(PlanError::unsupported(fields.path(key), message));
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
