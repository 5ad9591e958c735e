//! Layers that attend to an encoder: Mllama's image layers, and the decoders of Whisper and T5.

use super::dims::{Gqa, HeadDim, KvHeads, Layers, heads, layer_count};
use super::fields::Fields;
use crate::error::PlanError;
use crate::spec::MAX_LAYERS;
use crate::spec::file::RunBody;
use crate::spec::layer::{Cross, Mixer};

const fn cross(gqa: Gqa) -> Mixer {
    let Gqa { kv_heads, k_dim, v_dim } = gqa;
    Mixer::Cross(Cross { kv_heads, k_dim, v_dim })
}

/// Llama 3.2 Vision: the layers of `cross_attention_layers` hold image keys and values only.
pub(super) fn mllama(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = layer_count(fields)?;
    let gqa = Gqa::read(fields, KvHeads::Named, HeadDim::Divided)?;
    let listed = fields.numbers("cross_attention_layers")?.ok_or_else(|| {
        fields.missing(
            "cross_attention_layers",
            "`cross_attention_layers` lists the image layers, and is absent",
        )
    })?;
    let mut trunk = vec![RunBody::One(gqa.full()); layers];
    for (i, number) in listed.into_iter().enumerate() {
        let slot = usize::try_from(number).ok().and_then(|n| trunk.get_mut(n)).ok_or_else(|| {
            let field = fields.path(&format!("cross_attention_layers[{i}]"));
            PlanError::invalid(field, format!("the model has {layers} layers")).with_value(number)
        })?;
        *slot = RunBody::One(cross(gqa));
    }
    Ok(Layers::of(trunk))
}

fn decoder(layers: usize, gqa: Gqa) -> Layers {
    Layers::of(vec![RunBody::Hybrid { mixers: vec![gqa.full(), cross(gqa)] }; layers])
}

fn bounded(fields: &Fields<'_>, key: &str, count: u64) -> Result<usize, PlanError> {
    let count = usize::try_from(count).ok().filter(|n| *n <= MAX_LAYERS);
    count.ok_or_else(|| fields.invalid(key, format!("more than {MAX_LAYERS} layers")))
}

/// Whisper's decoder.
pub(super) fn whisper(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    let layers = bounded(fields, "decoder_layers", fields.need("decoder_layers")?)?;
    fields.ignore(&["is_encoder_decoder", "num_hidden_layers"]);
    let (heads, hidden) = (fields.need("decoder_attention_heads")?, fields.need("d_model")?);
    if !hidden.is_multiple_of(heads) {
        return Err(fields.invalid("d_model", format!("{hidden} is not a multiple of {heads} heads")));
    }
    let width = hidden / heads;
    Ok(decoder(layers, Gqa { kv_heads: heads, k_dim: width, v_dim: width }))
}

/// T5's decoder; `num_decoder_layers` is `num_layers` where absent.
pub(super) fn t5(fields: &Fields<'_>) -> Result<Layers, PlanError> {
    fields.ignore(&["is_encoder_decoder"]);
    let layers = match fields.positive("num_decoder_layers")? {
        Some(n) => bounded(fields, "num_decoder_layers", n)?,
        None => layer_count(fields)?,
    };
    let (kv_heads, width) = (heads(fields)?, fields.need("d_kv")?);
    Ok(decoder(layers, Gqa { kv_heads, k_dim: width, v_dim: width }))
}
