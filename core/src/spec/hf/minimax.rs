//! MiniMax: lightning attention by list (M1, Text-01), all full (M2), full with sparse-attention indexers (M3).

use super::delta::lightning;
use super::dims::{Gqa, HeadDim, KvHeads, Layers, check_length, layer_count, layer_types, unknown_entry};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Full, Mixer};

/// `attn_type_list`: 0 is lightning, 1 is full attention.
fn attn_types(fields: &Fields<'_>, layers: usize) -> Result<Option<Vec<bool>>, PlanError> {
    let Some(list) = fields.numbers("attn_type_list")? else { return Ok(None) };
    check_length(fields, "attn_type_list", list.len(), layers)?;
    let read = |(i, entry): (usize, u64)| match entry {
        0 => Ok(false),
        1 => Ok(true),
        other => {
            let message = "an entry of `attn_type_list` is 0 (lightning) or 1 (full)";
            Err(PlanError::invalid(fields.path(&format!("attn_type_list[{i}]")), message).with_value(other))
        }
    };
    list.into_iter().take(layers).enumerate().map(read).collect::<Result<_, _>>().map(Some)
}

/// M1 and Text-01.
pub(super) fn m1(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?;
    let decayed = lightning(fields)?;
    let full: Vec<bool> = match (attn_types(fields, layers)?, layer_types(fields, layers)?) {
        (Some(list), _) => list,
        (None, Some(types)) => {
            let read = |(i, entry): (usize, &str)| match entry {
                "full_attention" => Ok(true),
                "linear_attention" => Ok(false),
                other => {
                    Err(unknown_entry(fields, "layer_types", i, other, "full_attention, linear_attention"))
                }
            };
            types.into_iter().take(layers).enumerate().map(read).collect::<Result<_, _>>()?
        }
        (None, None) => {
            return Err(fields
                .missing("attn_type_list", "`attn_type_list` says which layers are full, and is absent"));
        }
    };
    let body = |full: bool| RunBody::One(if full { gqa.full() } else { decayed.clone() });
    Ok(Layers::of(full.into_iter().map(body).collect()))
}

/// M2: every entry of `attn_type_list` is 1, where it is written at all.
pub(super) fn m2(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    if let Some(i) = attn_types(fields, layers)?.and_then(|list| list.iter().position(|full| !full)) {
        let message = "lightning layers are not part of this family";
        return Err(
            PlanError::unsupported(fields.path(&format!("attn_type_list[{i}]")), message).with_value(0)
        );
    }
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Named)?;
    Layers::repeat(gqa.full(), layers).with_mtp(fields, gqa.full())
}

/// M3: an indexer key beside the full cache on layers whose `sparse_attention_freq` is 1.
pub(super) fn m3(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Named)?;
    let sparse = fields.object("sparse_attention_config")?.ok_or_else(|| {
        fields
            .missing("sparse_attention_config", "`sparse_attention_config` gives the indexer, and is absent")
    })?;
    if sparse.bool("use_sparse_attention")? == Some(false) {
        return Layers::repeat(gqa.full(), layers).with_mtp(fields, gqa.full());
    }
    let dim = sparse.need("sparse_index_dim")?;
    let frequency = sparse.numbers("sparse_attention_freq")?.ok_or_else(|| {
        sparse.missing(
            "sparse_attention_freq",
            "`sparse_attention_freq` says which layers have one, and is absent",
        )
    })?;
    check_length(fields, "sparse_attention_config.sparse_attention_freq", frequency.len(), layers)?;
    let Gqa { kv_heads, k_dim, v_dim } = gqa;
    let indexed = Mixer::Full(Full { kv_heads, k_dim, v_dim, indexer_dim: Some(dim) });
    let body = |(i, entry): (usize, &u64)| match entry {
        0 => Ok(RunBody::One(gqa.full())),
        1 => Ok(RunBody::One(indexed.clone())),
        other => {
            let message = "an entry of `sparse_attention_freq` is 0 (dense) or 1 (sparse)";
            Err(PlanError::invalid(sparse.path(&format!("sparse_attention_freq[{i}]")), message)
                .with_value(*other))
        }
    };
    let trunk = frequency.iter().take(layers).enumerate().map(body).collect::<Result<_, _>>()?;
    Layers::of(trunk).with_mtp(fields, gqa.full())
}
