//! Mamba layers under each family's names: alone, beside attention layers, or beside attention in one layer.

use super::dims::{
    Gqa, HeadDim, KvHeads, Layers, hidden, layer_count, layer_types, mtp_count, unknown_entry,
};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::MAX_LAYERS;
use crate::spec::file::RunBody;
use crate::spec::layer::{Mamba1, Mamba2, Mixer};
use crate::unit::Overflow;

/// Mamba-1 alone.
pub(super) fn mamba1(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let inner = match fields.positive("intermediate_size")? {
        Some(inner) => inner,
        None => fields.need("expand")?.checked_mul(hidden(fields)?).ok_or(Overflow)?,
    };
    let (state, conv_kernel) = (fields.need("state_size")?, fields.need("conv_kernel")?);
    Ok(Layers::repeat(Mixer::Mamba1(Mamba1 { inner, state, conv_kernel }), layers))
}

/// Mamba-2 alone.
pub(super) fn mamba2(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let mixer = Mixer::Mamba2(Mamba2 {
        heads: fields.need("num_heads")?,
        head_dim: fields.need("head_dim")?,
        groups: fields.need("n_groups")?,
        state: fields.need("state_size")?,
        conv_kernel: fields.need("conv_kernel")?,
    });
    Ok(Layers::repeat(mixer, layers))
}

/// Jamba: one attention layer in `attn_layer_period`, the others Mamba-1.
pub(super) fn jamba(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?;
    let inner = fields.need("mamba_expand")?.checked_mul(hidden(fields)?).ok_or(Overflow)?;
    let (state, conv_kernel) = (fields.need("mamba_d_state")?, fields.need("mamba_d_conv")?);
    let mamba = Mixer::Mamba1(Mamba1 { inner, state, conv_kernel });
    fields.ignore_prefix("mamba_");
    if let Some(types) = layer_types(fields, layers)? {
        fields.ignore(&["attn_layer_period", "attn_layer_offset"]);
        let body = |(i, entry): (usize, &str)| match entry {
            "attention" | "full_attention" => Ok(RunBody::One(gqa.full())),
            "mamba" | "linear_attention" => Ok(RunBody::One(mamba.clone())),
            other => Err(unknown_entry(fields, "layer_types", i, other, "attention, mamba")),
        };
        return types
            .into_iter()
            .take(layers)
            .enumerate()
            .map(body)
            .collect::<Result<_, _>>()
            .map(Layers::of);
    }
    let period = fields.need("attn_layer_period")?;
    let offset = fields.u64("attn_layer_offset")?.ok_or_else(|| {
        fields.missing("attn_layer_offset", "`attn_layer_offset` places the attention layers, and is absent")
    })?;
    let attends = |i: usize| u64::try_from(i).is_ok_and(|i| i % period == offset);
    let body = |i: usize| RunBody::One(if attends(i) { gqa.full() } else { mamba.clone() });
    Ok(Layers::of((0..layers).map(body).collect()))
}

/// Nemotron-H: one component a layer, by a string of letters or a list of names.
pub(super) fn nemotron_h(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let mixer = Mixer::Mamba2(Mamba2 {
        heads: fields.need("mamba_num_heads")?,
        head_dim: fields.need("mamba_head_dim")?,
        groups: fields.need("n_groups")?,
        state: fields.need("ssm_state_size")?,
        conv_kernel: fields.need("conv_kernel")?,
    });
    fields.ignore_prefix("mamba_");
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Named)?;
    let body = |part: &Component| match part {
        Component::Mamba => RunBody::One(mixer.clone()),
        Component::Attention => RunBody::One(gqa.full()),
        Component::FeedForward => RunBody::None,
    };
    let parts = components(fields, "hybrid_override_pattern", "layers_block_type")?.ok_or_else(|| {
        fields.missing(
            "layers_block_type",
            "`hybrid_override_pattern` or `layers_block_type` orders the layers",
        )
    })?;
    if parts.len() > MAX_LAYERS {
        return Err(fields.invalid("layers_block_type", format!("more than {MAX_LAYERS} layers")));
    }
    if fields.u64("num_hidden_layers")?.is_some_and(|said| usize::try_from(said) != Ok(parts.len())) {
        let message = format!("the list of layers has {} entries", parts.len());
        return Err(fields.invalid("num_hidden_layers", message));
    }
    let trunk = parts.iter().map(body).collect();
    // A multi-token-prediction layer is one pass over its own list: what keeps a cache there is one layer's mixers.
    let once = components(fields, "mtp_hybrid_override_pattern", "mtp_layers_block_type")?;
    let mtp = match (mtp_count(fields)?, once) {
        (0, _) => Vec::new(),
        (count, Some(parts)) => {
            let mut mixers: Vec<Mixer> = parts
                .iter()
                .filter_map(|part| match body(part) {
                    RunBody::One(mixer) => Some(mixer),
                    RunBody::None | RunBody::Hybrid { .. } | RunBody::Pattern { .. } => None,
                })
                .collect();
            let layer = match (mixers.pop(), mixers.is_empty()) {
                (None, _) => RunBody::None,
                (Some(only), true) => RunBody::One(only),
                (Some(last), false) => {
                    mixers.push(last);
                    RunBody::Hybrid { mixers }
                }
            };
            vec![layer; count]
        }
        (_, None) => {
            let message =
                "`mtp_layers_block_type` says what a multi-token-prediction layer holds, and is absent";
            return Err(fields.missing("mtp_layers_block_type", message));
        }
    };
    Ok(Layers { trunk, mtp })
}

enum Component {
    Mamba,
    Attention,
    FeedForward,
}

fn components(fields: &Fields<'_>, letters: &str, names: &str) -> Result<Option<Vec<Component>>, PlanError> {
    if let Some(pattern) = fields.str(letters)? {
        let read = |(i, letter): (usize, char)| match letter {
            'M' => Ok(Component::Mamba),
            '*' => Ok(Component::Attention),
            '-' | 'E' => Ok(Component::FeedForward),
            other => Err(unknown_entry(fields, letters, i, &other.to_string(), "M, *, -, E")),
        };
        return pattern.chars().enumerate().map(read).collect::<Result<_, _>>().map(Some);
    }
    let Some(list) = fields.strings(names)? else { return Ok(None) };
    let read = |(i, name): (usize, &str)| match name {
        "mamba" | "linear_attention" => Ok(Component::Mamba),
        "attention" | "full_attention" => Ok(Component::Attention),
        "mlp" | "moe" => Ok(Component::FeedForward),
        other => Err(unknown_entry(fields, names, i, other, "mamba, attention, mlp, moe")),
    };
    list.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
}

/// The Mamba-2 layer under the `mamba_*` names of Granite, Bamba and Falcon-H1.
fn named_mamba2(fields: &Fields<'_>) -> Result<Mixer, PlanError> {
    let mixer = Mixer::Mamba2(Mamba2 {
        heads: fields.need("mamba_n_heads")?,
        head_dim: fields.need("mamba_d_head")?,
        groups: fields.need("mamba_n_groups")?,
        state: fields.need("mamba_d_state")?,
        conv_kernel: fields.need("mamba_d_conv")?,
    });
    fields.ignore_prefix("mamba_");
    Ok(mixer)
}

/// Granite 4 and Bamba: by `layer_types`, which may hold no Mamba layer at all.
pub(super) fn granite_hybrid(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, KvHeads::AsHeads, HeadDim::Divided)?;
    let types = match (layer_types(fields, layers)?, fields.numbers("attn_layer_indices")?) {
        (Some(types), _) => types,
        (None, Some(indices)) => {
            let attends = |i: usize| u64::try_from(i).is_ok_and(|i| indices.contains(&i));
            (0..layers).map(|i| if attends(i) { "attention" } else { "mamba" }).collect()
        }
        (None, None) => {
            return Err(fields.missing("layer_types", "`layer_types` orders the layers, and is absent"));
        }
    };
    let is_mamba = |entry: &str| matches!(entry, "mamba" | "linear_attention");
    let mamba = if types.iter().any(|entry| is_mamba(entry)) { Some(named_mamba2(fields)?) } else { None };
    fields.ignore_prefix("mamba_");
    let body = |(i, entry): (usize, &&str)| match (*entry, &mamba) {
        ("attention" | "full_attention", _) => Ok(RunBody::One(gqa.full())),
        (entry, Some(mamba)) if is_mamba(entry) => Ok(RunBody::One(mamba.clone())),
        (other, _) => Err(unknown_entry(fields, "layer_types", i, other, "attention, mamba")),
    };
    let trunk = types.iter().take(layers).enumerate().map(body).collect::<Result<_, _>>()?;
    Ok(Layers::of(trunk))
}

/// Falcon-H1: attention and Mamba-2 side by side in every layer.
pub(super) fn falcon_h1(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let attention = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?.full();
    let width = fields.u64("mamba_d_ssm")?;
    let mamba = named_mamba2(fields)?;
    if let (Some(width), Mixer::Mamba2(m)) = (width, &mamba)
        && m.heads.checked_mul(m.head_dim) != Some(width)
    {
        let message = format!("`mamba_n_heads` × `mamba_d_head` is {} × {}", m.heads, m.head_dim);
        return Err(fields.invalid("mamba_d_ssm", message));
    }
    if fields.value("attn_layer_indices").is_some() {
        return Err(
            fields.unsupported("attn_layer_indices", "attention on some layers only is not understood here")
        );
    }
    let both = RunBody::Hybrid { mixers: vec![attention, mamba] };
    Ok(Layers::of(vec![both; layers]))
}

/// Zamba 2: Mamba-2 in every layer, and a shared attention block's own cache in `hybrid` layers.
pub(super) fn zamba2(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let width = fields.need("attention_head_dim")?;
    let attention = Gqa { kv_heads: fields.need("num_key_value_heads")?, k_dim: width, v_dim: width }.full();
    let mamba = Mixer::Mamba2(Mamba2 {
        heads: fields.need("n_mamba_heads")?,
        head_dim: fields.need("mamba_headdim")?,
        groups: fields.need("mamba_ngroups")?,
        state: fields.need("mamba_d_state")?,
        conv_kernel: fields.need("mamba_d_conv")?,
    });
    fields.ignore_prefix("mamba_");
    fields.ignore(&["kv_channels", "hybrid_layer_ids", "head_dim"]);
    let types = layer_types(fields, layers)?.ok_or_else(|| {
        fields.missing("layers_block_type", "`layers_block_type` orders the layers, and is absent")
    })?;
    let body = |(i, entry): (usize, &&str)| match *entry {
        "mamba" | "linear_attention" => Ok(RunBody::One(mamba.clone())),
        "hybrid" => Ok(RunBody::Hybrid { mixers: vec![attention.clone(), mamba.clone()] }),
        other => Err(unknown_entry(fields, "layers_block_type", i, other, "mamba, hybrid")),
    };
    let trunk = types.iter().take(layers).enumerate().map(body).collect::<Result<_, _>>()?;
    Ok(Layers::of(trunk))
}
