//! TensorRT-LLM: a YAML file of `LlmArgs` for `trtllm-serve`.

use super::export::{ConfigFile, Launch, Source, Target};
use super::yaml::Yaml;
use crate::codec::Codec;
use crate::engine::Report;
use crate::error::PlanError;
use crate::plan::Plan;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

const FILE: &str = "trtllm.yaml";

/// The cache's type written out where the request names it.
pub(super) fn settle(options: &mut Map<String, Value>, source: &Source<'_>) {
    let spelled = [
        (Codec::Bf16, "bfloat16"),
        (Codec::F16, "float16"),
        (Codec::Fp8E4m3, "fp8"),
        (Codec::Nvfp4, "nvfp4"),
    ];
    let asked = source.cache.k.or(source.cache.v);
    if let Some((_, name)) = spelled.iter().find(|(codec, _)| Some(*codec) == asked) {
        options.entry("dtype").or_insert_with(|| json!(name));
    }
}

/// `trtllm-serve MODEL --extra_llm_api_options trtllm.yaml`.
pub(super) fn write(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    let Report::TensorRtLlm(report) = &plan.kv.engine_report else {
        return Err(PlanError::unsupported("engine.name", "this plan is not TensorRT-LLM's"));
    };
    let mut launch = Launch::of(Target::TensorRtLlm);
    let count = |option: &str| options.get(option).and_then(Value::as_u64);
    let mut cache: Vec<(Cow<'static, str>, Yaml)> = Vec::new();
    for option in
        ["dtype", "tokens_per_block", "max_attention_window", "host_cache_size", "free_gpu_memory_fraction"]
    {
        if let Some(value) = options.get(option) {
            cache.push((option.into(), value.clone().into()));
        }
    }
    if let Some(bytes) = options.get("free_memory_bytes") {
        let note = format!("planned for {bytes} bytes free after the weights; TensorRT-LLM measures its own");
        launch.notes.push(note.into());
    } else if options.contains_key("max_attention_window") {
        let note = "several attention windows: the pool takes what free_gpu_memory_fraction leaves, more than planned";
        launch.notes.push(note.into());
    } else {
        let block = count("tokens_per_block").unwrap_or(32);
        let tokens = report.blocks_in_primary_pool.checked_mul(block).ok_or(crate::unit::Overflow)?;
        cache.push(("max_tokens".into(), tokens.into()));
        let note =
            "max_tokens is written out: without it the pool takes what free_gpu_memory_fraction leaves";
        launch.notes.push(note.into());
    }
    let placement = source.request.placement;
    let mut fields: Vec<(Cow<'static, str>, Yaml)> = vec![("max_seq_len".into(), plan.context.get().into())];
    if let Some(sequences) = source.request.sequences {
        fields.push(("max_batch_size".into(), sequences.into()));
    }
    for (name, ranks) in [("tensor_parallel_size", placement.tp), ("moe_expert_parallel_size", placement.ep)]
    {
        if ranks > 1 {
            fields.push((name.into(), ranks.into()));
        }
    }
    if placement.dp > 1 {
        launch
            .notes
            .push(format!("start it {} times: every replica has a cache like this one", placement.dp).into());
    }
    fields.push(("kv_cache_config".into(), Yaml::Fields(cache)));
    launch.file = Some(ConfigFile { name: FILE, text: Yaml::Fields(fields).text() });
    launch.command = ["trtllm-serve".to_owned(), source.repository()].to_vec();
    launch.command.extend(["--extra_llm_api_options".to_owned(), FILE.to_owned()]);
    Ok(launch)
}
