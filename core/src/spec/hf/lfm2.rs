//! LFM2: short convolutions, and attention where `layer_types` or `full_attn_idxs` say.

use super::dims::{Gqa, HeadDim, KvHeads, Layers, hidden, layer_count, layer_types, unknown_entry};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Mixer, ShortConv};

pub(super) fn import(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?;
    let width = hidden(fields)?;
    for key in ["conv_dim", "conv_dim_out"] {
        if fields.u64(key)?.is_some_and(|dim| dim != width) {
            return Err(
                fields.unsupported(key, format!("convolutions are as wide as the hidden size {width} here"))
            );
        }
    }
    let conv = Mixer::ShortConv(ShortConv { width, conv_kernel: fields.need("conv_L_cache")? });
    let types = match (layer_types(fields, layers)?, fields.numbers("full_attn_idxs")?) {
        (Some(types), _) => types,
        (None, Some(indices)) => {
            let attends = |i: usize| u64::try_from(i).is_ok_and(|i| indices.contains(&i));
            (0..layers).map(|i| if attends(i) { "full_attention" } else { "conv" }).collect()
        }
        (None, None) => {
            return Err(fields.missing("layer_types", "`layer_types` orders the layers, and is absent"));
        }
    };
    let body = |(i, entry): (usize, &&str)| match *entry {
        "full_attention" => Ok(RunBody::One(gqa.full())),
        "conv" => Ok(RunBody::One(conv.clone())),
        other => Err(unknown_entry(fields, "layer_types", i, other, "full_attention, conv")),
    };
    let trunk = types.iter().take(layers).enumerate().map(body).collect::<Result<_, _>>()?;
    Ok(Layers::of(trunk))
}
