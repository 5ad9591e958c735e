//! Llama 4: chunked attention on rotary layers, full attention on every fourth, which has no positions.

use super::dims::{Gqa, HeadDim, KvHeads, Layers, check_length, layer_count, layer_types, unknown_entry};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;

pub(super) fn import(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    const CLASS: &str = "Llama4TextConfig";
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Named)?;
    let is_full = full_layers(fields, layers)?;
    let off = fields.written("attention_chunk_size") && fields.value("attention_chunk_size").is_none();
    if off {
        return Ok(Layers::repeat(gqa.full(), layers));
    }
    let chunk = fields.or_default("attention_chunk_size", 8192, CLASS)?;
    let mixer = |full: bool| if full { gqa.full() } else { gqa.chunk(chunk) };
    Ok(Layers::of(is_full.into_iter().map(|full| RunBody::One(mixer(full))).collect()))
}

fn full_layers(fields: &Fields<'_>, layers: usize) -> Result<Vec<bool>, PlanError> {
    if let Some(types) = layer_types(fields, layers)? {
        let read = |(i, entry): (usize, &str)| match entry {
            "full_attention" => Ok(true),
            "chunked_attention" => Ok(false),
            other => Err(unknown_entry(fields, "layer_types", i, other, "full_attention, chunked_attention")),
        };
        return types.into_iter().enumerate().map(read).collect();
    }
    if let Some(rotary) = fields.numbers("no_rope_layers")?.filter(|list| !list.is_empty()) {
        check_length(fields, "no_rope_layers", rotary.len(), layers)?;
        return Ok(rotary.into_iter().map(|rotary| rotary == 0).collect());
    }
    let interval = fields.or_default("no_rope_layer_interval", 4, "Llama4TextConfig")?;
    let interval =
        usize::try_from(interval).map_err(|_| fields.invalid("no_rope_layer_interval", "too large"))?;
    Ok((1..=layers).map(|i| i.is_multiple_of(interval)).collect())
}
