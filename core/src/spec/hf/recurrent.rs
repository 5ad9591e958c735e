//! Models without attention caches, or with few: RWKV, xLSTM, RecurrentGemma.

use super::dims::{Gqa, HeadDim, KvHeads, Layers, heads, hidden, layer_count, unknown_entry};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Mixer, Mlstm, RgLru, Rwkv};

/// RWKV 5 to 7: matrix states of `head_size`.
pub(super) fn rwkv(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let hidden = hidden(fields)?;
    if fields.u64("attention_hidden_size")?.is_some_and(|width| width != hidden) {
        let message =
            format!("a time mixing of another width than the hidden size {hidden} is not understood");
        return Err(fields.unsupported("attention_hidden_size", message));
    }
    let head_size = fields.need_first(&["head_size", "head_dim"])?;
    if !hidden.is_multiple_of(head_size) {
        return Err(fields.invalid("head_size", format!("the hidden size {hidden} is not a multiple of it")));
    }
    Ok(Layers::repeat(Mixer::Rwkv(Rwkv { hidden, head_size, token_shift: None }), layers))
}

/// RWKV 4 keeps five vectors of another kind.
pub(super) fn rwkv4(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    Err(fields.unsupported("model_type", "RWKV 4 keeps vector states, which are not understood here"))
}

/// xLSTM: one matrix memory a head; widths are factors of the hidden size.
pub(super) fn xlstm(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = fields.need_first(&["num_hidden_layers", "num_blocks"])?;
    let layers = usize::try_from(layers).ok().filter(|n| *n <= crate::spec::MAX_LAYERS);
    let layers = layers.ok_or_else(|| fields.invalid("num_hidden_layers", "too many layers"))?;
    let (heads, hidden) = (heads(fields)?, fields.need_first(&["hidden_size", "embedding_dim"])?);
    let round = fields.or_default("mlstm_round_up_to_multiple_of", 64, "xLSTMConfig")?;
    let width = |key: &str| -> Result<u64, PlanError> {
        let factor = fields.value(key).and_then(serde_json::Value::as_f64);
        let factor = factor
            .ok_or_else(|| fields.missing(key, format!("`{key}` gives the state's width, and is absent")))?;
        let hidden = u32::try_from(hidden).map_err(|_| fields.invalid("hidden_size", "too large"))?;
        // A whole float prints without a fraction.
        let width = format!("{}", f64::from(hidden) * factor).parse::<u64>().ok();
        let width =
            width.filter(|w| w.is_multiple_of(round) && w.is_multiple_of(heads)).ok_or_else(|| {
                let message =
                    format!("{hidden} × `{key}` must be a multiple of {round} and of {heads} heads");
                fields.invalid(key, message)
            })?;
        Ok(width / heads)
    };
    let mixer = Mlstm { heads, qk_dim: width("qk_dim_factor")?, v_dim: width("v_dim_factor")? };
    Ok(Layers::repeat(Mixer::Mlstm(mixer), layers))
}

/// RecurrentGemma: `block_types`, repeated, of linear recurrent units and windows.
pub(super) fn griffin(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let window = fields.need("attention_window_size")?;
    let attention = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?.window(window);
    let width = match fields.positive("lru_width")? {
        Some(width) => width,
        None => hidden(fields)?,
    };
    let unit = Mixer::RgLru(RgLru { width, conv_kernel: fields.need("conv1d_width")? });
    let types = fields.strings("block_types")?.filter(|types| !types.is_empty());
    let types = types
        .ok_or_else(|| fields.missing("block_types", "`block_types` orders the layers, and is absent"))?;
    let body = |(i, entry): (usize, &str)| match entry {
        "recurrent" => Ok(RunBody::One(unit.clone())),
        "attention" => Ok(RunBody::One(attention.clone())),
        other => Err(unknown_entry(fields, "block_types", i, other, "recurrent, attention")),
    };
    let trunk = types.into_iter().cycle().take(layers).enumerate().map(body).collect::<Result<_, _>>()?;
    Ok(Layers::of(trunk))
}
