//! DeepSeek-V4: rows that are key and value at once, the last of them whole and the rest compressed over time.

use super::dims::{Layers, check_length, layer_count, mtp_count};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::file::RunBody;
use crate::spec::layer::{Compressed, Mixer};

/// Tokens per entry of compressed sparse attention, whose entries an indexer selects.
const CSA: u64 = 4;
/// Tokens per entry of heavily compressed attention.
const HCA: u64 = 128;

pub(super) fn import(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    fields.ignore(&["num_key_value_heads", "qk_rope_head_dim"]);
    let dim = fields.need("head_dim")?;
    let window = fields.need("sliding_window")?;
    let indexer = fields.need("index_head_dim")?;
    let ratios = fields.numbers("compress_ratios")?.ok_or_else(|| {
        fields.missing("compress_ratios", "`compress_ratios` says how each layer compresses, and is absent")
    })?;
    fields.ignore_prefix("index_");
    // The ratios say all that `layer_types` could.
    fields.ignore(&["compress_rope_theta", "layer_types"]);
    check_length(fields, "compress_ratios", ratios.len(), layers)?;
    let body = |(i, ratio): (usize, &u64)| {
        let indexer_dim = match *ratio {
            CSA => Some(indexer),
            0 | HCA => None,
            other => {
                let message = format!(
                    "a layer compresses {CSA} (CSA), {HCA} (HCA) or 0 (window alone) tokens into one"
                );
                let field = fields.path(&format!("compress_ratios[{i}]"));
                return Err(PlanError::unsupported(field, message).with_value(other));
            }
        };
        Ok(RunBody::One(Mixer::Compressed(Compressed { dim, window, ratio: *ratio, indexer_dim })))
    };
    let mut trunk: Vec<RunBody> = ratios.iter().enumerate().map(body).collect::<Result<_, _>>()?;
    let mtp = trunk.split_off(layers);
    if mtp.is_empty() && mtp_count(fields)? > 0 {
        let message = "`compress_ratios` does not reach the multi-token-prediction layers";
        return Err(PlanError::missing(fields.path("compress_ratios"), message));
    }
    Ok(Layers { trunk, mtp })
}
