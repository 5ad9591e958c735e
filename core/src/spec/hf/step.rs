//! Step-3 (one wide KV head) and Step-3.5/3.7 (windows by `layer_types`).

use super::dims::{Gqa, Layers, layer_count, layer_types, unknown_entry};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;

/// Step-3: `num_attention_groups` is the number of KV heads.
pub(super) fn step3(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let width = fields.need("head_dim")?;
    let gqa = Gqa { kv_heads: fields.need("num_attention_groups")?, k_dim: width, v_dim: width };
    fields.ignore(&["num_key_value_heads"]);
    Layers::repeat(gqa.full(), layer_count(fields)?).with_mtp(fields, gqa.full())
}

/// Step-3.5 and 3.7: windowed layers may have their own groups and width (`attention_other_setting`).
pub(super) fn step3p5(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let width = fields.need("head_dim")?;
    let kv_heads = fields.need_first(&["num_attention_groups", "num_key_value_heads"])?;
    let full = Gqa { kv_heads, k_dim: width, v_dim: width };
    let mut local = full;
    if let Some(other) = fields.object("attention_other_setting")? {
        if other.str("attention_type")?.is_some_and(|kind| kind != "sliding_attention") {
            return Err(other.unsupported("attention_type", "only windowed layers are known to differ"));
        }
        if let Some(n) = other.positive("num_attention_groups")? {
            local.kv_heads = n;
        }
        if let Some(n) = other.positive("head_dim")? {
            (local.k_dim, local.v_dim) = (n, n);
        }
    }
    let types = layer_types(fields, layers)?.ok_or_else(|| {
        fields.missing("layer_types", "`layer_types` says which layers are windowed, and is absent")
    })?;
    let window = if types.contains(&"sliding_attention") { fields.need("sliding_window")? } else { 0 };
    let body = |(i, entry): (usize, &&str)| match *entry {
        "full_attention" => Ok(RunBody::One(full.full())),
        "sliding_attention" => Ok(RunBody::One(local.window(window))),
        other => Err(unknown_entry(fields, "layer_types", i, other, "full_attention, sliding_attention")),
    };
    let mut trunk: Vec<RunBody> = types.iter().enumerate().map(body).collect::<Result<_, _>>()?;
    let mtp = trunk.split_off(layers);
    if mtp.is_empty() { Layers::of(trunk).with_mtp(fields, full.full()) } else { Ok(Layers { trunk, mtp }) }
}
