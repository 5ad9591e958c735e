//! Grouped or multi-query attention under the names of older families.

use super::dims::{Gqa, HeadDim, KvHeads, Layers, divided_head_dim, head_dim, heads, layer_count};
use super::fields::Fields;
use crate::error::PlanError;

fn all_full(fields: &Fields<'_>, kv_heads: u64, width: u64) -> Result<Layers, PlanError> {
    Ok(Layers::repeat(Gqa { kv_heads, k_dim: width, v_dim: width }.full(), layer_count(fields)?))
}

/// Falcon: `num_kv_heads` with the new decoder, one KV head with `multi_query`, else all.
pub(super) fn falcon(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let width = head_dim(fields, HeadDim::Divided)?;
    let new = fields.bool("new_decoder_architecture")?;
    let multi = fields.bool("multi_query")?;
    let named = match fields.positive("num_kv_heads")? {
        None => fields.positive("num_key_value_heads")?,
        named => named,
    };
    let kv_heads = match (new, multi, named) {
        (Some(true), _, Some(named)) => named,
        (Some(true), _, None) => heads(fields)?,
        (_, Some(true), _) => 1,
        (_, Some(false), _) => heads(fields)?,
        (None, None, Some(named)) => named,
        (_, None, _) => {
            let message = "`multi_query` decides the KV heads, and is absent";
            return Err(fields.missing("multi_query", message));
        }
    };
    all_full(fields, kv_heads, width)
}

/// ChatGLM: `multi_query_group_num` KV heads of `kv_channels`.
pub(super) fn chatglm(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let width = head_dim(fields, HeadDim::Divided)?;
    let kv_heads = if fields.bool("multi_query_attention")? == Some(true) {
        fields.need("multi_query_group_num")?
    } else {
        fields.ignore(&["multi_query_group_num"]);
        heads(fields)?
    };
    all_full(fields, kv_heads, width)
}

/// GPT BigCode: one KV head with `multi_query`.
pub(super) fn bigcode(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let width = divided_head_dim(fields)?;
    let kv_heads = match fields.bool("multi_query")? {
        Some(true) => 1,
        Some(false) => heads(fields)?,
        None => {
            return Err(fields.missing("multi_query", "`multi_query` decides the KV heads, and is absent"));
        }
    };
    all_full(fields, kv_heads, width)
}

/// MPT and DBRX: `attn_config.kv_n_heads`; MPT has as many as query heads where it is absent.
pub(super) fn attn_config(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    attn(fields, false)
}

/// MPT.
pub(super) fn mpt(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    attn(fields, true)
}

fn attn(fields: &Fields<'_>, plain: bool) -> Result<Layers, PlanError> {
    let width = divided_head_dim(fields)?;
    let config = fields.object("attn_config")?;
    let mut kv_heads = None;
    if let Some(config) = &config {
        kv_heads = config.positive("kv_n_heads")?;
        match config.str("attn_type")? {
            None | Some("multihead_attention") => {}
            Some("multiquery_attention") => kv_heads = Some(1),
            Some("grouped_query_attention") if kv_heads.is_some() => {}
            Some(other) => {
                let message = format!("`{other}` is not understood here");
                return Err(config.unsupported("attn_type", message));
            }
        }
        if config.value("sliding_window_size").is_some_and(|w| w.as_i64() != Some(-1)) {
            return Err(config.unsupported("sliding_window_size", "windows are not understood here"));
        }
    }
    let kv_heads = match kv_heads {
        Some(n) => n,
        None if plain => heads(fields)?,
        None => {
            let message = "`attn_config.kv_n_heads` decides the KV heads, and is absent";
            return Err(fields.missing("attn_config.kv_n_heads", message));
        }
    };
    all_full(fields, kv_heads, width)
}

/// Phi-3-small: block-sparse attention reads less and keeps everything.
pub(super) fn phi3small(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?;
    fields.ignore_prefix("blocksparse_");
    fields.assume("block-sparse attention reads part of the cache and keeps all of it");
    Ok(Layers::repeat(gqa.full(), layer_count(fields)?))
}

/// Hunyuan: cross-layer attention would share caches between layers.
pub(super) fn hunyuan(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    if fields.bool("use_cla")? == Some(true) {
        return Err(fields.unsupported(
            "use_cla",
            "caches shared between layers (`cla_share_factor`) are not understood here",
        ));
    }
    if fields.bool("use_mla")? == Some(true) {
        return Err(fields.unsupported("use_mla", "latent attention is not part of this family"));
    }
    fields.ignore(&["cla_share_factor", "kv_lora_rank", "qk_rope_head_dim", "v_head_dim"]);
    let gqa = Gqa::read(fields, KvHeads::AsHeads, HeadDim::Divided)?;
    Layers::repeat(gqa.full(), layer_count(fields)?).with_mtp(fields, gqa.full())
}
