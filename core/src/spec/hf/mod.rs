//! A publisher's `config.json` → a [`SpecFile`].
//!
//! The text config is unwrapped from its multimodal frame, its `model_type` is looked up in the one table
//! (`families`), and that row's rule says what every layer is made of. Three things keep this honest: `null` and
//! absent are the same and nothing has a silent default (`fields`); a key that decides a cache and that the rule did
//! not read is refused (`guard`); and what a class default decided is an assumption line of the record.
//!
//! `family` of the record is the `model_type` whose rule was used, so the text config's own (`gemma3_text`, not
//! `gemma3`), or the frame's where the text config has none.

mod bailing;
mod cross;
mod curated;
mod deepseek_v4;
mod delta;
mod dense;
mod dims;
mod families;
mod fields;
mod gemma;
mod guard;
mod legacy;
mod lfm2;
mod llama4;
mod mamba;
mod mimo_v2;
mod minimax;
mod mla;
mod nas;
mod recurrent;
mod shape;
mod step;

use super::compress::compress;
use super::{ModelSpec, SpecFile};
use crate::error::PlanError;
use dims::Layers;
use families::{Family, Rule};
use fields::Fields;
use serde_json::{Map, Number, Value};

/// The model a config describes.
///
/// # Errors
/// `unsupported` for a `model_type` or a cache-deciding field that is not understood, `missing-field` and `invalid`
/// for what is absent or contradictory; each names the field and its value.
pub fn import(config: &Value) -> Result<ModelSpec, PlanError> {
    ModelSpec::try_from(import_record(config)?)
}

/// The same as a record, for writing down.
///
/// # Errors
/// As [`import`].
pub fn import_record(config: &Value) -> Result<SpecFile, PlanError> {
    let Value::Object(map) = config else {
        return Err(PlanError::invalid("", "a config is a JSON object"));
    };
    let outer = Fields::new(map, "");
    let (text, path) = unwrap(map, String::new(), 0)?;
    let fields = Fields::new(text, path);
    let read = understand(&outer, &fields)?;
    guard::counts_agree(&fields, &read.layers.trunk)?;
    guard::refuse_unread(&fields, read.family.unwrap_or("this record"))?;
    if fields.value("_note").is_some() && fields.value("layer_types").is_none() {
        fields.assume(
            "dimensions only, not the publisher's file: windows and layer order may be missing from it",
        );
    }
    let mut record = identity(&outer, &fields, &read)?;
    // Weights are read through a view of their own: what they read says nothing about the cache.
    let weights = Fields::new(text, fields.path(""));
    match shape::import(&outer, &weights, read.family, &read.layers) {
        Ok(shape) => record.shape = Some(shape),
        Err(error) => record.shape_unknown = Some(error.message),
    }
    record.layers = compress(read.layers.trunk);
    record.mtp = compress(read.layers.mtp);
    record.assumptions = fields.take_assumptions();
    Ok(record)
}

struct Understood {
    family: Option<&'static str>,
    llama_cpp: Option<&'static str>,
    bidirectional: bool,
    class: Option<families::Class>,
    layers: Layers,
}

fn understand(outer: &Fields<'_>, fields: &Fields<'_>) -> Result<Understood, PlanError> {
    let framed = fields.path("") != outer.path("");
    let frame = if framed { outer.str("model_type")?.and_then(Family::find) } else { None };
    let Some(family) = family_of(fields, frame)? else {
        if let Some(formula) = fields.str("_formula")? {
            let layers = curated::import(fields, formula)?;
            return Ok(Understood {
                family: None,
                llama_cpp: None,
                bidirectional: false,
                class: None,
                layers,
            });
        }
        return Err(fields.missing("model_type", "`model_type` names the architecture, and is absent"));
    };
    let layers = match &family.rule {
        Rule::Dense(law) => dense::import(fields, *law)?,
        Rule::Own(rule) => rule(fields)?,
        Rule::Frame => {
            let message = format!(
                "`{}` is a frame around a text config, and `text_config` is absent",
                family.model_type
            );
            return Err(fields.missing("text_config", message));
        }
    };
    Ok(Understood {
        family: Some(family.model_type),
        llama_cpp: frame.and_then(|frame| frame.llama_cpp).or_else(|| llama_cpp(fields, family)),
        bidirectional: family.bidirectional,
        class: family.class,
        layers,
    })
}

/// llama.cpp's name for the family, where one `model_type` has two.
fn llama_cpp(fields: &Fields<'_>, family: &Family) -> Option<&'static str> {
    let experts = |key: &str| fields.value(key).and_then(Value::as_u64).is_some_and(|n| n > 0);
    match family.model_type {
        "nemotron_h" if experts("n_routed_experts") => Some("nemotron_h_moe"),
        // Without latent attention it is another graph, which llama.cpp does not have under this name.
        "deepseek_v2" if fields.value("use_mla") == Some(&Value::Bool(false)) => None,
        "bailing_moe" => match class(fields) {
            Some("BailingMoeForCausalLM") => Some("bailingmoe"),
            Some("BailingMoeV2ForCausalLM") => Some("bailingmoe2"),
            _ => None,
        },
        _ => family.llama_cpp,
    }
}

fn class<'a>(fields: &Fields<'a>) -> Option<&'a str> {
    fields.value("architectures")?.get(0)?.as_str()
}

/// The row of the text config: by its `model_type`, by its class, or by the frame around it.
fn family_of(
    fields: &Fields<'_>,
    frame: Option<&'static Family>,
) -> Result<Option<&'static Family>, PlanError> {
    if let Some(model_type) = fields.str("model_type")?.filter(|name| !name.is_empty()) {
        let message = format!("no rule reads the `model_type` `{model_type}`");
        return Family::find(model_type).map(Some).ok_or_else(|| fields.unsupported("model_type", message));
    }
    Ok(class(fields).and_then(Family::of_class).or(frame))
}

/// How deep a text config may be wrapped (`thinker_config.text_config`).
const DEEPEST: usize = 3;

fn unwrap(
    map: &Map<String, Value>,
    path: String,
    depth: usize,
) -> Result<(&Map<String, Value>, String), PlanError> {
    const FRAMES: &[&str] = &["thinker_config", "text_config", "llm_config", "language_config"];
    for key in FRAMES {
        match map.get(*key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(inner)) if depth < DEEPEST => {
                return unwrap(inner, format!("{path}{key}."), depth + 1);
            }
            Some(_) => {
                return Err(PlanError::invalid(format!("{path}{key}"), format!("`{key}` must be an object")));
            }
        }
    }
    Ok((map, path))
}

/// Everything of the record that no layer needs.
fn identity(outer: &Fields<'_>, fields: &Fields<'_>, read: &Understood) -> Result<SpecFile, PlanError> {
    // Command-R's `max_position_embeddings` is 8192 beside a `model_max_length` of 131072, which is the one that
    // engines and converters follow.
    const CONTEXT: &[&str] = &[
        "model_max_length",
        "max_position_embeddings",
        "n_positions",
        "max_sequence_length",
        "seq_length",
        "max_seq_len",
        "context_length",
        "max_target_positions",
        "max_position_embedding",
    ];
    let either = |keys: &[&str]| -> Result<Option<u64>, PlanError> {
        let inner = fields.first(keys)?;
        if inner.is_some() { Ok(inner) } else { outer.first(keys) }
    };
    let mut trained_context = either(CONTEXT)?.filter(|n| *n > 0);
    let mut vocab_size = either(&["vocab_size", "padded_vocab_size", "embedding_size"])?;
    if let Some(class) = read.class {
        for (key, slot, default) in [
            ("max_position_embeddings", &mut trained_context, class.context),
            ("vocab_size", &mut vocab_size, class.vocab),
        ] {
            if slot.is_none() {
                fields.assume(format!("{key} is absent: {default}, the default of {}", class.name));
                *slot = Some(default);
            }
        }
    }
    let float = |keys: &[&str]| {
        let name = keys.iter().find_map(|key| fields.value(key).or_else(|| outer.value(key)))?.as_str()?;
        match name.trim_start_matches("torch.") {
            "bfloat16" => Some("bf16".to_owned()),
            "float16" | "half" => Some("f16".to_owned()),
            "float32" | "float" => Some("f32".to_owned()),
            _ => None,
        }
    };
    let heads = if read.layers.attend() {
        fields.first(&["num_attention_heads", "n_head", "n_heads", "decoder_attention_heads", "num_heads"])?
    } else {
        None
    };
    let gemma3 = read.family.is_some_and(|family| family.contains("gemma3"));
    let scaled_context = trained_context.filter(|_| !gemma3).and_then(|n| scaled(fields, n));
    Ok(SpecFile {
        family: read.family.map(str::to_owned),
        llama_cpp_arch: read.llama_cpp.map(str::to_owned),
        trained_context,
        scaled_context,
        hidden_size: fields.first(&["hidden_size", "n_embd", "d_model", "n_embed"])?,
        vocab_size,
        heads,
        dtype: float(&["torch_dtype", "dtype"]),
        state_dtype: float(&["mamba_ssm_dtype", "mamba_ssm_cache_dtype", "inference_state_dtype"]),
        bidirectional: read.bidirectional,
        ..SpecFile::default()
    })
}

/// The length that a factor of linear or dynamic scaling stretches `trained` to. The other kinds publish the length
/// with their factor applied, and so does Gemma 3 with its linear one (vLLM 0.33.0, `_get_and_verify_max_len`).
fn scaled(fields: &Fields<'_>, trained: u64) -> Option<u64> {
    const APPLIED: &[&str] = &["su", "longrope", "llama3", "yarn", "deepseek_yarn", "deepseek_llama_scaling"];
    let factor = |rope: &Map<String, Value>| {
        let kind = rope.get("rope_type").or_else(|| rope.get("type"))?.as_str()?;
        rope.get("factor").filter(|_| !APPLIED.contains(&kind))?.as_f64()
    };
    let rope = ["rope_parameters", "rope_scaling"].iter().find_map(|key| fields.value(key)?.as_object())?;
    // One set of parameters, or one per layer type.
    let nested = || rope.values().filter_map(Value::as_object).find_map(factor);
    let factor = factor(rope).or_else(nested).filter(|factor| factor.is_finite() && *factor > 1.0)?;
    let stretched = Number::from_f64((Number::from(trained).as_f64()? * factor).floor())?;
    stretched.to_string().strip_suffix(".0")?.parse().ok()
}
