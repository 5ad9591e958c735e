//! Gated delta networks and Kimi delta attention beside attention: Qwen3-Next, Qwen 3.5, Kimi Linear and K3.

use super::dims::{Gqa, HeadDim, KvHeads, Layers, heads, layer_count, layer_types, unknown_entry};
use super::fields::Fields;
use super::mla::latent;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{GatedDelta, Kda, Mixer};

/// Qwen3-Next and Qwen 3.5: gated delta layers, every fourth layer full attention.
pub(super) fn qwen(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa =
        Gqa::read(fields, KvHeads::Named, HeadDim::Default(256, "Qwen3NextConfig and Qwen3_5TextConfig"))?;
    let delta = Mixer::GatedDelta(GatedDelta {
        k_heads: fields.need("linear_num_key_heads")?,
        k_dim: fields.need("linear_key_head_dim")?,
        v_heads: fields.need("linear_num_value_heads")?,
        v_dim: fields.need("linear_value_head_dim")?,
        conv_kernel: fields.need("linear_conv_kernel_dim")?,
    });
    if fields.bool("use_sliding_window")? == Some(false) {
        fields.ignore(&["sliding_window"]);
    }
    let types = match layer_types(fields, layers)? {
        Some(types) => {
            fields.ignore(&["full_attention_interval"]);
            types
        }
        None => {
            let interval = fields.or_default("full_attention_interval", 4, "its class")?;
            let full = |i: usize| u64::try_from(i).is_ok_and(|i| i.is_multiple_of(interval));
            (1..=layers).map(|i| if full(i) { "full_attention" } else { "linear_attention" }).collect()
        }
    };
    let body = |(i, entry): (usize, &&str)| match *entry {
        "full_attention" => Ok(RunBody::One(gqa.full())),
        "linear_attention" => Ok(RunBody::One(delta.clone())),
        other => Err(unknown_entry(fields, "layer_types", i, other, "full_attention, linear_attention")),
    };
    let mut trunk: Vec<RunBody> = types.iter().enumerate().map(body).collect::<Result<_, _>>()?;
    let mtp = trunk.split_off(layers);
    if mtp.is_empty() { Layers::of(trunk).with_mtp(fields, gqa.full()) } else { Ok(Layers { trunk, mtp }) }
}

/// Kimi Linear and K3: delta layers and latent attention by two lists of layer numbers, counted from 1.
pub(super) fn kimi(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let row = Mixer::Mla(latent(fields)?);
    let linear = fields.object("linear_attn_config")?.ok_or_else(|| {
        fields.missing(
            "linear_attn_config",
            "`linear_attn_config` lists the layers of each kind, and is absent",
        )
    })?;
    let delta = Mixer::Kda(Kda {
        heads: linear.need("num_heads")?,
        head_dim: linear.need("head_dim")?,
        conv_kernel: linear.need("short_conv_kernel_size")?,
    });
    fields.ignore(&["layer_types"]);
    let mut trunk: Vec<Option<RunBody>> = vec![None; layers];
    for (key, mixer) in [("kda_layers", &delta), ("full_attn_layers", &row)] {
        let listed = linear.numbers(key)?;
        let listed = listed.ok_or_else(|| linear.missing(key, format!("`{key}` is absent")))?;
        for (i, number) in listed.into_iter().enumerate() {
            let slot =
                usize::try_from(number).ok().and_then(|n| n.checked_sub(1)).and_then(|n| trunk.get_mut(n));
            match slot {
                Some(slot @ None) => *slot = Some(RunBody::One(mixer.clone())),
                _ => {
                    let message = format!("layers are numbered from 1 to {layers}, each listed once");
                    return Err(
                        PlanError::invalid(linear.path(&format!("{key}[{i}]")), message).with_value(number)
                    );
                }
            }
        }
    }
    let missing = trunk.iter().position(Option::is_none);
    if let Some(i) = missing {
        let message = format!("layer {} is in neither `kda_layers` nor `full_attn_layers`", i + 1);
        return Err(PlanError::invalid(fields.path("linear_attn_config"), message).with_value(i + 1));
    }
    Layers::of(trunk.into_iter().flatten().collect()).with_mtp(fields, row)
}

/// Kimi delta attention under the flat names of Ling 3 and GLM 5.3 Flash.
pub(super) fn flat_kda(fields: &Fields<'_>) -> Result<Mixer, PlanError> {
    let conv_kernel = fields.need_first(&["linear_conv_kernel_dim", "short_conv_kernel_size"])?;
    if fields.u64("short_conv_kernel_size")?.is_some_and(|other| other != conv_kernel) {
        return Err(
            fields.invalid("short_conv_kernel_size", format!("the other kernel field says {conv_kernel}"))
        );
    }
    let mixer = Mixer::Kda(Kda {
        heads: fields.need("linear_num_heads")?,
        head_dim: fields.need("linear_head_dim")?,
        conv_kernel,
    });
    fields.ignore(&["linear_lower_bound", "kda_lower_bound", "kda_safe_gate"]);
    Ok(mixer)
}

/// Query heads as decayed-attention heads.
pub(super) fn lightning(fields: &Fields<'_>) -> Result<Mixer, PlanError> {
    let head_dim = super::dims::head_dim(fields, HeadDim::Divided)?;
    Ok(Mixer::Lightning(crate::spec::layer::Lightning { heads: heads(fields)?, head_dim }))
}
