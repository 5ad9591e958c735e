//! Ollama: the options of llama.cpp that it passes on, as a Modelfile and the variables of its server.
//!
//! Ollama starts llama-server with `-c num_ctx × parallel -np parallel`, one type for K and V, and no shared pool.

use super::export::{ConfigFile, Launch, Source, Target};
use crate::engine::Report;
use crate::error::PlanError;
use crate::plan::Plan;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// `ollama create`, after the server has its variables.
pub(super) fn write(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    let Report::LlamaCpp(report) = &plan.kv.engine_report else {
        return Err(PlanError::unsupported("engine.name", "this plan is not llama.cpp's"));
    };
    let text = |option: &str| options.get(option).and_then(Value::as_str);
    let (k, v) = (text("type_k").unwrap_or("f16"), text("type_v").unwrap_or("f16"));
    if k != v {
        let message = "Ollama has one type for keys and values (OLLAMA_KV_CACHE_TYPE)";
        return Err(PlanError::unsupported("cache.v", message).with_value(v));
    }
    if !matches!(k, "f16" | "q8_0" | "q4_0") {
        let message = "OLLAMA_KV_CACHE_TYPE is f16, q8_0 or q4_0";
        return Err(PlanError::unsupported("cache.k", message).with_value(k));
    }
    let passed =
        ["n_ctx", "n_seq_max", "type_k", "type_v", "flash_attn", "n_gpu_layers", "n_batch", "n_ubatch"];
    if let Some((name, value)) = options.iter().find(|(name, _)| !passed.contains(&name.as_str())) {
        let message = format!("Ollama has no setting for `{name}`");
        return Err(PlanError::unsupported(format!("engine.{name}"), message).with_value(value.clone()));
    }
    let mut launch = Launch::of(Target::Ollama);
    let slots = report.n_seq_max;
    let each = options.get("n_ctx").and_then(Value::as_u64).unwrap_or(report.n_ctx) / slots.max(1);
    let file = source.file.map_or_else(|| format!("./{}", source.gguf_file()), str::to_owned);
    let mut content = format!("FROM {file}\nPARAMETER num_ctx {each}\n");
    if let Some(layers) = options.get("n_gpu_layers").and_then(Value::as_i64).filter(|n| *n >= 0) {
        let _ = writeln!(content, "PARAMETER num_gpu {layers}");
    }
    if let Some(batch) = options.get("n_batch").or_else(|| options.get("n_ubatch")) {
        let _ = writeln!(content, "PARAMETER num_batch {batch}");
    }
    launch.file = Some(ConfigFile { name: "Modelfile", text: content });
    launch.variables.push(("OLLAMA_NUM_PARALLEL", slots.to_string()));
    launch.variables.push(("OLLAMA_KV_CACHE_TYPE", k.to_owned()));
    if options.get("flash_attn") == Some(&json!("on")) {
        launch.variables.push(("OLLAMA_FLASH_ATTENTION", "1".to_owned()));
    }
    launch.command = vec!["ollama".to_owned(), "serve".to_owned()];
    let name = if source.model.id().is_empty() { "planned" } else { source.model.id() };
    launch.notes.push(format!("then, beside the running server: ollama create {name} -f Modelfile").into());
    launch
        .notes
        .push("num_ctx is written out: Ollama's own default is far shorter and cuts prompts silently".into());
    if slots > 1 {
        launch.notes.push(format!("num_ctx is per slot: Ollama reserves it {slots} times").into());
    }
    Ok(launch)
}
