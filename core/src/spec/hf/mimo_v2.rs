//! MiMo-V2: window and full layers by a 0/1 list, each kind with its own KV heads and head widths.

use super::dims::{Gqa, Layers, check_length, layer_count};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;

pub(super) fn import(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let full = Gqa {
        kv_heads: fields.need("num_key_value_heads")?,
        k_dim: fields.need("head_dim")?,
        v_dim: fields.need("v_head_dim")?,
    };
    let local = Gqa {
        kv_heads: fields.need("swa_num_key_value_heads")?,
        k_dim: fields.need("swa_head_dim")?,
        v_dim: fields.need("swa_v_head_dim")?,
    };
    let window = fields.need_first(&["sliding_window", "sliding_window_size"])?;
    if fields.u64("sliding_window_size")?.is_some_and(|size| size != window) {
        return Err(fields.invalid("sliding_window_size", format!("`sliding_window` says {window}")));
    }
    // Set to the window's size, and no chunked attention.
    fields.ignore(&["attention_chunk_size"]);
    fields.ignore(&["layer_types"]);
    fields.ignore_prefix("swa_");
    let pattern = fields.numbers("hybrid_layer_pattern")?.ok_or_else(|| {
        fields.missing(
            "hybrid_layer_pattern",
            "`hybrid_layer_pattern` says which layers are windowed, and is absent",
        )
    })?;
    check_length(fields, "hybrid_layer_pattern", pattern.len(), layers)?;
    let body = |(i, entry): (usize, &u64)| match entry {
        0 => Ok(RunBody::One(full.full())),
        1 => Ok(RunBody::One(local.window(window))),
        other => {
            let message = "an entry of `hybrid_layer_pattern` is 0 (full) or 1 (window)";
            Err(PlanError::invalid(fields.path(&format!("hybrid_layer_pattern[{i}]")), message)
                .with_value(*other))
        }
    };
    let mut trunk: Vec<RunBody> = pattern.iter().enumerate().map(body).collect::<Result<_, _>>()?;
    let mtp = trunk.split_off(layers);
    if mtp.is_empty() {
        Layers::of(trunk).with_mtp(fields, local.window(window))
    } else {
        Ok(Layers { trunk, mtp })
    }
}
