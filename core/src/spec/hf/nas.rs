//! Nemotron-NAS: every block says whether it attends, and in groups of how many heads.

use super::dims::{Gqa, HeadDim, Layers, head_dim, heads, layer_count};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use serde_json::Value;

pub(super) fn import(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let heads = heads(fields)?;
    let width = head_dim(fields, HeadDim::Divided)?;
    let blocks = fields.list("block_configs")?.ok_or_else(|| {
        fields.missing("block_configs", "`block_configs` says which layers attend, and is absent")
    })?;
    if blocks.len() != layers {
        let message = format!("`block_configs` has {} entries for {layers} layers", blocks.len());
        return Err(fields.invalid("block_configs", message));
    }
    let body = |(i, block): (usize, &Value)| {
        let path = fields.path(&format!("block_configs[{i}].attention."));
        let Some(Value::Object(map)) = block.get("attention") else {
            return Err(PlanError::missing(
                path.trim_end_matches('.'),
                "the block does not say whether it attends",
            ));
        };
        let attention = Fields::new(map, path);
        if attention.bool("no_op")? == Some(true) {
            return Ok(RunBody::None);
        }
        for key in ["replace_with_linear", "unshifted_sink", "sparsify", "window_length", "num_sink_tokens"] {
            match attention.value(key) {
                None | Some(Value::Bool(false)) => {}
                Some(_) if key == "replace_with_linear" => return Ok(RunBody::None),
                Some(_) => return Err(attention.unsupported(key, format!("`{key}` is not understood here"))),
            }
        }
        let group = attention.need("n_heads_in_group")?;
        if !heads.is_multiple_of(group) {
            let message = format!("{heads} heads do not divide into groups of {group}");
            return Err(attention.invalid("n_heads_in_group", message));
        }
        let gqa = Gqa { kv_heads: heads / group, k_dim: width, v_dim: width };
        Ok(RunBody::One(gqa.full()))
    };
    blocks.iter().enumerate().map(body).collect::<Result<_, _>>().map(Layers::of)
}
