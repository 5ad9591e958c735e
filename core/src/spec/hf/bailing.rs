//! Ling and Ring with linear layers, and GLM 5.3 Flash, which mixes the same two kinds.

use super::delta::{flat_kda, lightning};
use super::dims::{Gqa, HeadDim, KvHeads, Layers, layer_count, layer_types, mtp_count, unknown_entry};
use super::fields::Fields;
use super::mla::{indexers, latent};
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::Mixer;

/// Ring-linear: groups of `layer_group_size` layers end in a full one; so do layers past the last whole group.
pub(super) fn linear(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?;
    let decayed = lightning(fields)?;
    let group = fields.need("layer_group_size")?;
    let group = usize::try_from(group).map_err(|_| fields.invalid("layer_group_size", "too large"))?;
    fields.ignore_prefix("linear_");
    let full = |i: usize| (i + 1).is_multiple_of(group) || i >= layers / group * group;
    let trunk = (0..layers).map(|i| RunBody::One(if full(i) { gqa.full() } else { decayed.clone() }));
    Layers::of(trunk.collect()).with_mtp(fields, gqa.full())
}

/// Ling 3: Kimi delta attention and latent attention by `layer_types`.
pub(super) fn hybrid(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let row = Mixer::Mla(latent(fields)?);
    let delta = flat_kda(fields)?;
    fields.ignore(&["layer_group_size"]);
    let types = layer_types(fields, layers)?
        .ok_or_else(|| fields.missing("layer_types", "`layer_types` orders the layers, and is absent"))?;
    let body = |(i, entry): (usize, &&str)| match *entry {
        "full_attention" => Ok(RunBody::One(row.clone())),
        "linear_attention" => Ok(RunBody::One(delta.clone())),
        other => Err(unknown_entry(fields, "layer_types", i, other, "full_attention, linear_attention")),
    };
    let mut trunk: Vec<RunBody> = types.iter().enumerate().map(body).collect::<Result<_, _>>()?;
    let mtp = trunk.split_off(layers);
    if mtp.is_empty() { Layers::of(trunk).with_mtp(fields, row) } else { Ok(Layers { trunk, mtp }) }
}

/// GLM 5.3 Flash: Kimi delta attention, and latent attention with a pooled indexer.
pub(super) fn glm5_next(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let rows = indexers(fields, layers, &latent(fields)?)?;
    let delta = flat_kda(fields)?;
    let types = layer_types(fields, layers)?
        .ok_or_else(|| fields.missing("layer_types", "`layer_types` orders the layers, and is absent"))?;
    let body = |(i, entry): (usize, &&str)| match (*entry, rows.get(i)) {
        ("indexed_attention", Some(row)) => Ok(RunBody::One(Mixer::Mla(row.clone()))),
        ("linear_attention", _) => Ok(RunBody::One(delta.clone())),
        (other, _) => {
            Err(unknown_entry(fields, "layer_types", i, other, "indexed_attention, linear_attention"))
        }
    };
    let mut trunk: Vec<RunBody> = types.iter().enumerate().map(body).collect::<Result<_, _>>()?;
    let mtp = trunk.split_off(layers);
    if mtp.is_empty() && mtp_count(fields)? > 0 {
        let message = "`layer_types` does not reach the multi-token-prediction layers";
        return Err(fields.missing("layer_types", message));
    }
    Ok(Layers { trunk, mtp })
}
