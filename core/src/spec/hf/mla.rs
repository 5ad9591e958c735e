//! Multi-head latent attention: DeepSeek V2 to V3.2, Kimi K2, GLM 4.7 Flash and 5, MiniCPM 3, Mistral 4, LongCat.

use super::dims::{
    Gqa, HeadDim, KvHeads, Layers, check_length, divided_head_dim, layer_count, layer_types, mtp_count,
    unknown_entry,
};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::MAX_LAYERS;
use crate::spec::file::RunBody;
use crate::spec::layer::{Mixer, Mla};

/// The latent row of a config; `num_key_value_heads` and `head_dim` mean nothing beside it.
pub(super) fn latent(fields: &Fields<'_>) -> Result<Mla, PlanError> {
    fields.ignore(&["num_key_value_heads", "head_dim", "qk_head_dim", "use_mla", "mla_use_nope"]);
    let rope = fields.u64("qk_rope_head_dim")?.ok_or_else(|| {
        fields.missing("qk_rope_head_dim", "`qk_rope_head_dim` is part of the latent row, and is absent")
    })?;
    Ok(Mla {
        latent_dim: fields.need("kv_lora_rank")?,
        rope_dim: rope,
        indexer_dim: None,
        indexer_stride: None,
        indexer_shared: false,
        heads: fields.positive("num_attention_heads")?,
        nope_dim: fields.u64("qk_nope_head_dim")?,
        v_dim: fields.positive("v_head_dim")?,
    })
}

/// Latent attention on every layer; or, where `use_mla` is off, grouped queries.
pub(super) fn import(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    if fields.bool("use_mla")? == Some(false) {
        fields.ignore(&["kv_lora_rank", "qk_rope_head_dim", "v_head_dim"]);
        let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?;
        return Layers::repeat(gqa.full(), layers).with_mtp(fields, gqa.full());
    }
    let row = Mixer::Mla(latent(fields)?);
    if let Some(types) = layer_types(fields, layers)?
        && let Some((i, entry)) = types.into_iter().enumerate().find(|(_, entry)| *entry != "full_attention")
    {
        return Err(unknown_entry(fields, "layer_types", i, entry, "full_attention"));
    }
    Layers::repeat(row.clone(), layers).with_mtp(fields, row)
}

/// MiniCPM 3: its value heads are as wide as hidden ÷ heads.
pub(super) fn minicpm3(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let mut row = latent(fields)?;
    if row.v_dim.is_none() {
        row.v_dim = Some(divided_head_dim(fields)?);
    }
    Ok(Layers::repeat(Mixer::Mla(row), layers))
}

/// LongCat: every layer has two attention sub-layers, each with its own latent cache. `num_layers` counts layers;
/// `num_hidden_layers`, where it is written beside it, counts either.
pub(super) fn longcat(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let named = fields.need("num_layers")?;
    let layers = usize::try_from(named).ok().filter(|n| *n <= MAX_LAYERS);
    let layers =
        layers.ok_or_else(|| fields.invalid("num_layers", format!("more than {MAX_LAYERS} layers")))?;
    if fields.u64("num_hidden_layers")?.is_some_and(|n| n != named && Some(n) != named.checked_mul(2)) {
        return Err(fields.invalid("num_hidden_layers", format!("`num_layers` says {named}")));
    }
    let row = Mixer::Mla(latent(fields)?);
    let twice = RunBody::Hybrid { mixers: vec![row.clone(), row.clone()] };
    Layers::of(vec![twice; layers]).with_mtp(fields, row)
}

/// Latent attention with a sparse-attention indexer: DeepSeek V3.2, GLM 5 and later.
pub(super) fn indexed(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let row = latent(fields)?;
    if let Some(types) = layer_types(fields, layers)? {
        for (i, entry) in types.into_iter().enumerate() {
            if entry != "deepseek_sparse_attention" && entry != "indexed_attention" {
                let known = "deepseek_sparse_attention, indexed_attention";
                return Err(unknown_entry(fields, "layer_types", i, entry, known));
            }
        }
    }
    let kinds = indexers(fields, layers, &row)?;
    let mut trunk: Vec<RunBody> = kinds.into_iter().map(|mla| RunBody::One(Mixer::Mla(mla))).collect();
    let tail = trunk.split_off(layers);
    let own = RunBody::One(Mixer::Mla(with_indexer(fields, &row)?));
    let mtp = if tail.is_empty() { vec![own; mtp_count(fields)?] } else { tail };
    Ok(Layers { trunk, mtp })
}

/// The row with the indexer's key beside it.
fn with_indexer(fields: &Fields<'_>, row: &Mla) -> Result<Mla, PlanError> {
    let stride = fields.positive("index_kpool")?.filter(|stride| *stride > 1);
    Ok(Mla { indexer_dim: Some(fields.need("index_head_dim")?), indexer_stride: stride, ..row.clone() })
}

/// The latent row of each layer: its own indexer, or an earlier layer's.
pub(super) fn indexers(fields: &Fields<'_>, layers: usize, row: &Mla) -> Result<Vec<Mla>, PlanError> {
    let own = with_indexer(fields, row)?;
    let types = fields.strings("indexer_types")?;
    let frequency = fields.u64("index_topk_freq")?.unwrap_or(1);
    let pattern = fields.value("index_topk_pattern").is_some();
    fields.ignore_prefix("index_");
    fields.ignore(&["indexer_rope_interleave"]);
    let Some(types) = types else {
        if frequency > 1 || pattern {
            let message =
                "indexers are shared (`index_topk_freq`), and `indexer_types` does not say by which layers";
            return Err(fields.missing("indexer_types", message));
        }
        return Ok(vec![own; layers]);
    };
    check_length(fields, "indexer_types", types.len(), layers)?;
    let kind = |(i, entry): (usize, &str)| match entry {
        "full" => Ok(own.clone()),
        "shared" => Ok(Mla { indexer_shared: true, ..row.clone() }),
        other => Err(unknown_entry(fields, "indexer_types", i, other, "full, shared")),
    };
    types.into_iter().enumerate().map(kind).collect()
}
