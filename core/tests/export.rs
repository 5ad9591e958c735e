//! Files that engines are started with: valid YAML, of fields the engine's own schema has, that reserve what is planned.
#![expect(clippy::unwrap_used, reason = "a test that cannot write its file has failed")]

use kvplan_core::launch::{Launch, Target, export};
use kvplan_core::plan::{
    CacheRequest, EngineRequest, ModelRef, Placement, Request, plan_model, resolve_model,
};
use kvplan_core::spec::catalog;
use rstest::rstest;
use serde_json::{Map, Value, json};

/// `KvCacheConfig` and the top-level fields of `LlmArgs`: tensorrt_llm/llmapi/llm_args.py.
const TENSORRT_LLM: [&str; 11] = [
    "max_seq_len",
    "max_batch_size",
    "tensor_parallel_size",
    "moe_expert_parallel_size",
    "kv_cache_config",
    "dtype",
    "tokens_per_block",
    "max_attention_window",
    "host_cache_size",
    "free_gpu_memory_fraction",
    "max_tokens",
];
/// `ModelConfig`: tabbyAPI common/config_models.py.
const TABBY: [&str; 7] =
    ["model", "model_name", "backend", "max_seq_len", "cache_size", "cache_mode", "max_batch_size"];
/// `LLMLoadModelConfig`: lmstudio.js packages/lms-shared-types/src/llm/LLMLoadModelConfig.ts.
const LM_STUDIO: [&str; 11] = [
    "gpu",
    "ratio",
    "contextLength",
    "maxParallelPredictions",
    "useUnifiedKvCache",
    "offloadKVCacheToGpu",
    "evalBatchSize",
    "physicalBatchSize",
    "flashAttention",
    "llamaKCacheQuantizationType",
    "llamaVCacheQuantizationType",
];

fn request(model: &str, context: u64, sequences: u64, cache: Option<&str>) -> Request {
    Request {
        context: Some(context),
        sequences: Some(sequences),
        cache: CacheRequest {
            k: cache.map(str::to_owned),
            v: cache.map(str::to_owned),
            ..CacheRequest::default()
        },
        ..Request::of(ModelRef::Id(model.to_owned()))
    }
}

fn exported(target: Target, request: &Request) -> Launch {
    let model = resolve_model(&request.model).unwrap();
    export(target, model.as_ref(), request, None).unwrap()
}

/// The file as a YAML reader sees it.
fn documents(launch: &Launch) -> Vec<Value> {
    use serde::Deserialize as _;
    let text = &launch.file.as_ref().unwrap().text;
    serde_yaml_ng::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

/// All names of fields in a document.
fn names(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                into.push(name.clone());
                names(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn assert_known(value: &Value, schema: &[&str]) {
    let mut found = Vec::new();
    names(value, &mut found);
    let unknown: Vec<&String> = found.iter().filter(|name| !schema.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?} are no fields there");
}

#[test]
fn tensorrt_llms_file_asks_for_the_planned_tokens_in_whole_blocks() {
    let mut request = request("llama-3.1-8b", 1000, 4, Some("fp8_e4m3"));
    request.placement = Placement { tp: 2, ..Placement::default() };
    let launch = exported(Target::TensorRtLlm, &request);
    let file = documents(&launch).remove(0);
    assert_known(&file, &TENSORRT_LLM);
    // 1000 tokens take 32 blocks of 32 tokens.
    let expected = json!({
        "max_seq_len": 1000, "max_batch_size": 4, "tensor_parallel_size": 2,
        "kv_cache_config": { "dtype": "fp8", "max_tokens": 4096 },
    });
    assert_eq!(file, expected);
    assert_eq!(
        launch.line(),
        "trtllm-serve meta-llama/Meta-Llama-3.1-8B --extra_llm_api_options trtllm.yaml"
    );
}

#[rstest]
#[case(None, "FP16")]
#[case(Some("exl3_8"), "8,8")]
fn tabbyapis_pool_is_the_planned_pages(#[case] cache: Option<&str>, #[case] mode: &str) {
    let launch = exported(Target::ExllamaV3, &request("qwen3-8b", 1000, 3, cache));
    let file = documents(&launch).remove(0);
    assert_known(&file, &TABBY);
    assert_eq!(file["model"]["cache_size"], 3072, "three sequences of four pages of 256 tokens");
    assert_eq!(file["model"]["cache_mode"], mode);
}

#[test]
fn lm_studios_load_call_says_types_and_length() {
    let mut request = request("qwen3-8b", 32_768, 1, Some("q8_0"));
    let launch = exported(Target::LmStudio, &request);
    let text = launch.file.as_ref().unwrap().text.clone();
    let config = text.split_once("const config = ").unwrap().1.split_once(";\nawait").unwrap().0;
    let config: Value = serde_json::from_str(config).unwrap();
    assert_known(&config, &LM_STUDIO);
    assert_eq!(
        (&config["contextLength"], &config["llamaKCacheQuantizationType"]),
        (&json!(32768), &json!("q8_0"))
    );
    assert_eq!(config["flashAttention"], true, "a quantized V needs it");
    request.sequences = Some(2);
    let model = catalog::find("qwen3-8b").unwrap();
    assert_eq!(export(Target::LmStudio, model, &request, None).unwrap_err().field, "sequences");
}

#[test]
fn a_quantized_mlx_cache_is_quantized_from_its_first_token() {
    let mut request = request("qwen3-8b", 4096, 1, None);
    let options = json!({ "cache": "quantized", "bits": 4, "prompt_tokens": 4000, "generated_tokens": 96 });
    request.engine = Some(EngineRequest {
        name: Target::Mlx.engine(),
        version: None,
        options: options.as_object().unwrap().clone(),
    });
    let line =
        "mlx_lm.generate --model Qwen/Qwen3-8B --kv-bits 4 --quantized-kv-start 0 --max-tokens 96 --prompt -";
    assert_eq!(exported(Target::Mlx, &request).line(), line);
}

#[test]
fn a_deployment_runs_a_replica_per_data_parallel_rank_with_vllms_own_flags() {
    let mut request = request("qwen3-8b", 32_768, 8, None);
    request.placement = Placement { tp: 2, dp: 3, ..Placement::default() };
    let model = catalog::find("qwen3-8b").unwrap();
    let bytes = plan_model(
        model,
        &Request {
            engine: Some(EngineRequest {
                name: Target::Vllm.engine(),
                version: None,
                options: [("tensor_parallel_size".to_owned(), json!(2))].into_iter().collect::<Map<_, _>>(),
            }),
            ..request.clone()
        },
    );
    let files = documents(&exported(Target::Kubernetes, &request));
    let [deployment, service] = files.as_slice() else { panic!("a deployment and a service: {files:?}") };
    assert_eq!((&deployment["kind"], &deployment["spec"]["replicas"]), (&json!("Deployment"), &json!(3)));
    let template = &deployment["spec"]["template"];
    assert_eq!(deployment["spec"]["selector"]["matchLabels"], template["metadata"]["labels"]);
    assert_eq!(service["spec"]["selector"], template["metadata"]["labels"]);
    let container = &template["spec"]["containers"][0];
    assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"], 2);
    let args: Vec<&str> =
        container["args"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
    let line = format!("vllm serve {}", args.join(" "));
    let read = kvplan_core::launch::read(&line).unwrap();
    assert_eq!(read.ignored, [], "{line}");
    let again = kvplan_core::plan::plan(&read.request).unwrap();
    assert_eq!(again.kv.allocated_bytes, bytes.unwrap().kv.allocated_bytes, "{line}");
}

#[test]
fn ray_serves_application_passes_the_same_arguments() {
    let mut request = request("deepseek-v3", 32_768, 8, None);
    request.placement = Placement { tp: 8, pp: 2, ..Placement::default() };
    let file = documents(&exported(Target::RayServe, &request)).remove(0);
    let model = &file["applications"][0]["args"]["llm_configs"][0];
    assert_eq!(file["applications"][0]["import_path"], "ray.serve.llm:build_openai_app");
    assert_eq!(model["engine_kwargs"]["tensor_parallel_size"], 8);
    assert_eq!(model["engine_kwargs"]["pipeline_parallel_size"], 2);
    assert_eq!(model["engine_kwargs"]["max_model_len"], 32_768);
}

#[test]
fn lmcaches_tier_holds_the_planned_conversations_once() {
    // LMCache's own log for Llama-3.1-8B in bf16: 32 MiB a chunk of 256 tokens (2 x 32 layers x 256 x 1024 x 2 B).
    let launch = exported(Target::Lmcache, &request("llama-3.1-8b", 65_536, 2, None));
    let file = documents(&launch).remove(0);
    assert_eq!(file, json!({ "chunk_size": 256, "local_cpu": true, "max_local_cpu_size": 16 }));
    assert!(
        launch
            .line()
            .starts_with("LMCACHE_CONFIG_FILE=lmcache.yaml vllm serve meta-llama/Meta-Llama-3.1-8B ")
    );
    let model = catalog::find("gemma-3-27b").unwrap();
    let windows = export(Target::Lmcache, model, &request("gemma-3-27b", 4096, 1, None), None).unwrap_err();
    assert_eq!(windows.field, "model");
}

#[test]
fn what_lives_beside_the_model_is_in_the_command_under_llama_cpps_own_flags() {
    // common/arg.cpp: --spec-draft-model / -md, --mmproj / -mm, --lora, --spec-draft-type-k / -ctkd and -v / -ctvd.
    let request = Request::from_value(&json!({
        "model": "qwen3.6-27b", "context": 65_536, "engine": { "name": "llama.cpp" },
        "extras": { "draft": "qwen3.5-0.8b", "draft_cache": { "kv": "q8_0" }, "projector_bytes": 928_000_000u64 },
    }))
    .unwrap();
    let command = exported(Target::LlamaCpp, &request).command.join(" ");
    assert!(command.ends_with("-md Qwen3.5-0.8B.gguf -mm mmproj.gguf -ctkd q8_0 -ctvd q8_0"), "{command}");
    let alone = Request { extras: None, ..request };
    assert!(!exported(Target::LlamaCpp, &alone).command.join(" ").contains("draft"));
}
