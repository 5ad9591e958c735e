//! ExLlamaV3, as TabbyAPI serves it: the `model` section of its `config.yml`.

use super::export::{ConfigFile, Launch, Source, Target};
use super::yaml::Yaml;
use crate::error::PlanError;
use crate::plan::Plan;
use serde_json::{Map, Value};
use std::borrow::Cow;

const FILE: &str = "config.yml";

/// Tokens of one page of the pool.
const PAGE: u64 = 256;

/// `python main.py --config config.yml`, in a checkout of TabbyAPI.
pub(super) fn write(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    for (option, why) in [
        ("max_history", "TabbyAPI derives it from what it drafts"),
        ("swa_full", "TabbyAPI leaves it to the model"),
    ] {
        if let Some(value) = options.get(option) {
            return Err(PlanError::unsupported(format!("engine.{option}"), why).with_value(value.clone()));
        }
    }
    let count = |option: &str| options.get(option).and_then(Value::as_u64);
    let codec_bits = |codec: Option<crate::codec::Codec>| {
        codec.and_then(|codec| codec.name().strip_prefix("exl3_").and_then(|bits| bits.parse::<u64>().ok()))
    };
    let k = count("k_bits").or_else(|| codec_bits(source.cache.k));
    let v = count("v_bits").or_else(|| codec_bits(source.cache.v)).or(k);
    let mode = match (k, v) {
        (Some(k), Some(v)) => format!("{k},{v}"),
        (None, _) | (_, None) => "FP16".to_owned(),
    };
    let pages = plan.context.get().div_ceil(PAGE).checked_mul(source.request.sequences.unwrap_or(1));
    let needed = pages.and_then(|pages| pages.checked_mul(PAGE)).ok_or(crate::unit::Overflow)?;
    let pool = count("max_num_tokens").unwrap_or(needed);
    let mut model: Vec<(Cow<'static, str>, Yaml)> = vec![
        ("model_name".into(), source.repository().into()),
        ("backend".into(), "exllamav3".into()),
        ("max_seq_len".into(), plan.context.get().into()),
        ("cache_size".into(), pool.into()),
        ("cache_mode".into(), mode.into()),
    ];
    // Slots for rings and states are reserved up front: 16 is what the plan has where nothing is said.
    model.push(("max_batch_size".into(), count("max_batch_size").unwrap_or(16).into()));
    let mut launch = Launch::of(Target::ExllamaV3);
    let text = Yaml::map([("model", Yaml::Fields(model))]).text();
    launch.file = Some(ConfigFile { name: FILE, text });
    launch.command = ["python", "main.py", "--config", FILE].map(str::to_owned).to_vec();
    launch.notes.push("run in a checkout of TabbyAPI; model_name is a folder in its model directory".into());
    launch.notes.push("cache_size is one pool of pages that all jobs share".into());
    Ok(launch)
}
