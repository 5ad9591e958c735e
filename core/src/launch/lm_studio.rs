//! LM Studio: a load call of its SDK, since its command line has no flag for the cache's types.

use super::export::{ConfigFile, Launch, Source, Target};
use crate::engine::Report;
use crate::error::PlanError;
use crate::plan::Plan;
use serde_json::{Map, Value, json};

const FILE: &str = "load.mjs";

/// The types LM Studio lets K and V have (`llmLlamaCacheQuantizationTypes`).
const TYPES: [&str; 8] = ["f32", "f16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"];

/// Options that have a place in LM Studio's load configuration.
const KNOWN: [&str; 10] = [
    "n_ctx",
    "n_seq_max",
    "kv_unified",
    "type_k",
    "type_v",
    "flash_attn",
    "offload_kqv",
    "n_batch",
    "n_ubatch",
    "n_gpu_layers",
];

/// `node load.mjs`, and the `lms load` line that does the same where the cache is f16.
pub(super) fn write(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    let Report::LlamaCpp(report) = &plan.kv.engine_report else {
        return Err(PlanError::unsupported("engine.name", "this plan is not llama.cpp's"));
    };
    if let Some((name, value)) = options.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        let message = format!("LM Studio's load configuration has no `{name}`");
        return Err(PlanError::unsupported(format!("engine.{name}"), message).with_value(value.clone()));
    }
    if report.n_seq_max > 1 && !report.kv_unified {
        let message = "how LM Studio divides its context between predictions without a shared pool is not modelled: one sequence, or kv_unified=true";
        return Err(PlanError::unsupported("sequences", message).with_value(report.n_seq_max));
    }
    let mut config = Map::new();
    let mut set = |name: &str, value: Value| config.insert(name.to_owned(), value);
    set("contextLength", json!(report.n_ctx));
    set("maxParallelPredictions", json!(report.n_seq_max));
    set("useUnifiedKvCache", json!(report.kv_unified));
    set("offloadKVCacheToGpu", options.get("offload_kqv").cloned().unwrap_or(Value::Bool(true)));
    let flash = options.get("flash_attn").and_then(Value::as_str).unwrap_or("auto");
    // "auto" is on wherever the device can: LM Studio knows on and off only.
    set("flashAttention", json!(flash != "off"));
    for (option, name) in [("n_batch", "evalBatchSize"), ("n_ubatch", "physicalBatchSize")] {
        if let Some(value) = options.get(option) {
            set(name, value.clone());
        }
    }
    for (option, name) in
        [("type_k", "llamaKCacheQuantizationType"), ("type_v", "llamaVCacheQuantizationType")]
    {
        let Some(ty) = options.get(option).and_then(Value::as_str) else {
            set(name, Value::Bool(false));
            continue;
        };
        if !TYPES.contains(&ty) {
            let message = format!("LM Studio keeps {}", TYPES.join(", "));
            return Err(PlanError::unsupported(format!("engine.{option}"), message).with_value(ty));
        }
        set(name, json!(ty));
    }
    if let Some(layers) = options.get("n_gpu_layers") {
        let message = "LM Studio takes a share of the layers; `all` and 0 are written";
        let ratio = match (layers.as_i64(), layers.as_str()) {
            (Some(0), _) => "off",
            (_, Some("all")) => "max",
            (Some(n), _) if usize::try_from(n).is_ok_and(|n| n > source.model.layer_count()) => "max",
            _ => {
                return Err(PlanError::unsupported("engine.n_gpu_layers", message).with_value(layers.clone()));
            }
        };
        set("gpu", json!({ "ratio": ratio }));
    }
    let config = serde_json::to_string_pretty(&Value::Object(config))
        .map_err(|e| PlanError::invalid("engine", e.to_string()))?;
    let key = source.file.map_or_else(|| source.model.id().to_owned(), str::to_owned);
    let text = format!(
        "import {{ LMStudioClient }} from \"@lmstudio/sdk\";\nconst config = {config};\nawait new LMStudioClient().llm.load({}, {{ config }});\n",
        json!(key)
    );
    let mut launch = Launch::of(Target::LmStudio);
    launch.file = Some(ConfigFile { name: FILE, text });
    launch.command = ["node", FILE].map(str::to_owned).to_vec();
    launch.notes.push("the model's key is LM Studio's own: `lms ls` lists them".into());
    if !options.contains_key("type_k") && !options.contains_key("type_v") {
        let note = format!(
            "the same by hand: lms load {key} --context-length {} --parallel {}",
            report.n_ctx, report.n_seq_max
        );
        launch.notes.push(note.into());
    }
    Ok(launch)
}
