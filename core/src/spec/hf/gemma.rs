//! Gemma 3n and 4: windows and full layers by list, and last layers that read an earlier layer's cache.

use super::dims::{Gqa, HeadDim, KvHeads, Layers, layer_count, layer_types, unknown_entry};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Mixer, Shared};

/// Gemma 3n: every fifth layer full, `num_kv_shared_layers` at the end own nothing.
pub(super) fn gemma3n(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    const CLASS: &str = "Gemma3nTextConfig";
    let layers = layer_count(fields)?;
    let local = Gqa::read(fields, KvHeads::Named, HeadDim::Default(256, CLASS))?;
    let types = match layer_types(fields, layers)? {
        Some(types) => types,
        None => {
            fields.assume(format!("layer_types is absent: every 5th layer is full, the default of {CLASS}"));
            (1..=layers).map(|i| if i % 5 == 0 { "full_attention" } else { "sliding_attention" }).collect()
        }
    };
    let window = fields.or_default("sliding_window", 512, CLASS)?;
    let shared = match fields.u64("num_kv_shared_layers")? {
        Some(n) => n,
        None => fields.or_default("num_kv_shared_layers", 15, CLASS)?,
    };
    assemble(fields, layers, &types, local, local, window, shared)
}

/// Gemma 4: full layers have their own head width and KV heads.
pub(super) fn gemma4(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let local = Gqa::read(fields, KvHeads::Named, HeadDim::Default(256, "Gemma4TextConfig"))?;
    let width = fields.or_default("global_head_dim", 512, "Gemma4TextConfig")?;
    let kv_heads = fields.positive("num_global_key_value_heads")?.unwrap_or(local.kv_heads);
    // Image tokens see each other in both directions, and are cached like any other.
    if fields
        .value("use_bidirectional_attention")
        .is_some_and(|v| v.as_str() != Some("vision") && v.as_bool() != Some(false))
    {
        let message = "attention in both directions beyond images (`vision`) is not understood here";
        return Err(fields.unsupported("use_bidirectional_attention", message));
    }
    // attention_k_eq_v drops the V weights of full layers, not their V cache.
    if fields.bool("attention_k_eq_v")? == Some(false) && kv_heads != local.kv_heads {
        let message = "`num_global_key_value_heads` applies only where `attention_k_eq_v` is on";
        return Err(fields.invalid("num_global_key_value_heads", message));
    }
    let global = Gqa { kv_heads, k_dim: width, v_dim: width };
    let types = layer_types(fields, layers)?.ok_or_else(|| {
        fields.missing("layer_types", "`layer_types` says which layers are full, and is absent")
    })?;
    let window = fields.or_default("sliding_window", 512, "Gemma4TextConfig")?;
    let shared = fields.u64("num_kv_shared_layers")?.ok_or_else(|| {
        fields.missing(
            "num_kv_shared_layers",
            "`num_kv_shared_layers` decides which layers store, and is absent",
        )
    })?;
    assemble(fields, layers, &types, local, global, window, shared)
}

fn assemble(
    fields: &Fields<'_>,
    layers: usize,
    types: &[&str],
    local: Gqa,
    global: Gqa,
    window: u64,
    shared: u64,
) -> Result<Layers, PlanError> {
    fields.ignore(&["sliding_window_pattern", "_sliding_window_pattern"]);
    let owning =
        usize::try_from(shared).ok().and_then(|shared| layers.checked_sub(shared)).filter(|n| *n > 0);
    let owning = owning.ok_or_else(|| {
        fields.invalid(
            "num_kv_shared_layers",
            format!("{shared} of {layers} layers cannot all share an earlier cache"),
        )
    })?;
    let body = |(i, entry): (usize, &&str)| {
        let sliding = match *entry {
            "sliding_attention" => true,
            "full_attention" => false,
            other => {
                let known = "full_attention, sliding_attention";
                return Err(unknown_entry(fields, "layer_types", i, other, known));
            }
        };
        Ok(RunBody::One(match (i < owning, sliding) {
            (true, true) => local.window(window),
            (true, false) => global.full(),
            (false, true) => Mixer::Shared(Shared { window: Some(window) }),
            (false, false) => Mixer::Shared(Shared { window: None }),
        }))
    };
    let trunk = types.iter().take(layers).enumerate().map(body).collect::<Result<_, _>>()?;
    Ok(Layers::of(trunk))
}
