//! Every case that llama.cpp 0c1e57098 was asked, answered again through the request line.
//!
//! `footprint`: dry runs on the metadata of 68 real-size models. `real_alloc`: tiny models, really allocated. The
//! figures are the engine's own (`tests/data/README.md`).
#![expect(clippy::unwrap_used, reason = "a case that cannot be read has failed")]

use flate2::read::GzDecoder;
use kvplan_core::plan::answer_line;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

fn unpacked(file: &str) -> String {
    read(&format!("data/truth/llama_cpp/{file}"))
}

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// The engine's parameters as the request's options: booleans were logged as 0 and 1 in one of the files.
fn options(params: &Map<String, Value>) -> Value {
    let mut engine = Map::from_iter([("name".to_owned(), json!("llama.cpp"))]);
    for (key, value) in params {
        let value = match (key.as_str(), value) {
            ("offload", offload) => {
                assert_eq!(offload, "none (CPU only)");
                continue;
            }
            ("kv_unified" | "swa_full" | "embeddings" | "offload_kqv", Value::Number(n)) => {
                json!(n.as_u64().unwrap() == 1)
            }
            ("ctx_type", Value::Number(n)) if n.as_u64() == Some(0) => json!("default"),
            (_, value) => value.clone(),
        };
        engine.insert(key.clone(), value);
    }
    Value::Object(engine)
}

/// What differs between a plan and what the engine did.
fn differences(plan: &Value, expect: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut same = |what: &str, ours: &Value, theirs: &Value| {
        if ours != theirs {
            found.push(format!("{what}: {ours}, the engine has {theirs}"));
        }
    };
    if let Some(refused) = expect.get("refused") {
        let error = &plan["error"];
        same("kind", &error["kind"], &json!("engine-refuses"));
        let message = error["message"].as_str().unwrap_or_default();
        if !message.contains(refused.as_str().unwrap()) {
            same("message", &error["message"], refused);
        }
        return found;
    }
    let report = &plan["kv"]["engine_report"];
    for field in ["caches", "output_buffer_bytes"] {
        same(field, &report[field], &expect[field]);
    }
    for (field, value) in expect["effective"].as_object().unwrap() {
        same(field, &report[field], value);
    }
    same("states", report.get("states").unwrap_or(&json!([])), expect.get("states").unwrap_or(&json!([])));
    let null = Value::Null;
    match (report.get("recurrent"), expect.get("recurrent")) {
        (Some(ours), Some(theirs)) => {
            for (field, value) in ours.as_object().unwrap() {
                same(field, value, &theirs[field]);
            }
            same("p_bytes", &json!(0), &theirs["p_bytes"]);
        }
        (ours, theirs) => same("recurrent", ours.unwrap_or(&null), theirs.unwrap_or(&null)),
    }
    // Totals and roles, summed from the engine's own figures.
    let mut roles: HashMap<&str, u64> = HashMap::new();
    let mut total = 0;
    let model_is_latent = |cache: &Value| cache["v_bytes"] == 0 && cache["name"] != "indexer";
    for cache in expect["caches"].as_array().unwrap() {
        let (k, v) = (cache["k_bytes"].as_u64().unwrap(), cache["v_bytes"].as_u64().unwrap());
        total += k + v;
        let (k_role, v_role) = match cache["name"].as_str().unwrap() {
            "lid" | "indexer" => ("indexer", "indexer"),
            "raw_base" | "raw_swa" | "csa" | "hca" => ("compressed", "compressed"),
            _ if model_is_latent(cache) => ("latent", "latent"),
            _ => ("k", "v"),
        };
        *roles.entry(k_role).or_default() += k;
        *roles.entry(v_role).or_default() += v;
    }
    for state in expect.get("states").and_then(Value::as_array).into_iter().flatten() {
        let bytes = state["bytes"].as_u64().unwrap();
        total += bytes;
        *roles.entry("compressor_state").or_default() += bytes;
    }
    if let Some(recurrent) = expect.get("recurrent") {
        for (role, field) in [("conv_state", "r_bytes"), ("recurrent_state", "s_bytes")] {
            let bytes = recurrent[field].as_u64().unwrap();
            total += bytes;
            *roles.entry(role).or_default() += bytes;
        }
    }
    let kv = &plan["kv"];
    same("allocated_bytes", &kv["allocated_bytes"], &json!(total));
    let theirs: Map<String, Value> = roles
        .into_iter()
        .filter(|(_, bytes)| *bytes > 0)
        .map(|(role, bytes)| (role.to_owned(), json!(bytes)))
        .collect();
    let ours: Map<String, Value> = kv["by_role"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, bytes)| **bytes != 0)
        .map(|(role, bytes)| (role.clone(), bytes.clone()))
        .collect();
    same("by_role", &Value::Object(ours), &Value::Object(theirs));
    let (payload, waste) = (kv["payload_bytes"].as_u64(), kv["waste_bytes"].as_u64());
    same("payload + waste", &json!(payload.zip(waste).map(|(p, w)| p + w)), &json!(total));
    found
}

fn every_case_of(name: &str, cases: usize) {
    let models: Map<String, Value> =
        serde_json::from_str(&unpacked(&format!("{name}.models.json.gz"))).unwrap();
    let mut asked = 0;
    let mut wrong = Vec::new();
    for line in unpacked(&format!("{name}.cases.jsonl.gz")).lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let model = &models[case["model"].as_str().unwrap()]["gguf"];
        let engine = options(case["params"].as_object().unwrap());
        let request = json!({ "id": case["id"], "model": { "gguf": model }, "engine": engine });
        let plan: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
        asked += 1;
        let found = differences(&plan, &case["expect"]);
        if !found.is_empty() {
            wrong.push(format!("{}: {} {}", case["id"], found.join("; "), plan["error"]));
        }
    }
    assert_eq!(asked, cases, "cases in the file");
    assert!(
        wrong.is_empty(),
        "{} of {asked} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
}

#[test]
fn every_dry_run_on_a_real_size_model_is_equal_to_the_byte() {
    every_case_of("footprint", 1406);
}

#[test]
fn every_real_allocation_of_a_tiny_model_is_equal_to_the_byte() {
    every_case_of("real_alloc", 291);
}

/// The log prints two lines a cache, in the order of the caches: `attn_rot_k = 1`, `attn_rot_v = 0`.
#[test]
fn caches_are_rotated_where_the_engine_logs_it() {
    let models: Map<String, Value> = serde_json::from_str(&unpacked("real_alloc.models.json.gz")).unwrap();
    let mut checked = 0;
    for line in unpacked("real_alloc.cases.jsonl.gz").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let logged: Vec<bool> = case["log"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|line| line.as_str()?.split_once("attn_rot_")?.1.get(4..5))
            .map(|digit| digit == "1")
            .collect();
        if logged.is_empty() {
            continue;
        }
        let model = &models[case["model"].as_str().unwrap()]["gguf"];
        let request =
            json!({ "model": { "gguf": model }, "engine": options(case["params"].as_object().unwrap()) });
        let plan: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
        let ours: Vec<bool> = plan["kv"]["engine_report"]["attn_rot"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|cache| [cache["k"].as_bool().unwrap(), cache["v"].as_bool().unwrap()])
            .collect();
        assert_eq!(ours, logged, "{}", case["id"]);
        checked += 1;
    }
    assert!(checked > 100, "only {checked} cases log a rotation");
}

/// Models whose publishers' configurations are collected too: the truth's name and the configuration's.
const PUBLISHED: &[(&str, &str)] = &[
    ("cohere2-command-r7b", "CohereLabs__c4ai-command-r7b-12-2024"),
    ("command-r-v01", "CohereLabs__c4ai-command-r-v01"),
    ("deepseek-v2-lite", "deepseek-ai__DeepSeek-V2-Lite"),
    ("deepseek-v3", "deepseek-ai__DeepSeek-V3"),
    ("deepseek-v3.2", "deepseek-ai__DeepSeek-V3.2"),
    ("deepseek-v4-flash", "deepseek-ai__DeepSeek-V4-Flash"),
    ("exaone4-32b", "LGAI-EXAONE__EXAONE-4.0-32B"),
    ("falcon-h1-0.5b", "tiiuae__Falcon-H1-0.5B-Instruct"),
    ("gemma-2-27b", "google__gemma-2-27b"),
    ("gemma-2-9b", "google__gemma-2-9b"),
    ("gemma-3-1b", "google__gemma-3-1b-it"),
    ("gemma-3-27b", "google__gemma-3-27b-it"),
    ("gemma-3-4b", "google__gemma-3-4b-it"),
    ("gemma-3n-e4b", "google__gemma-3n-E4B-it"),
    ("gemma-4-31b", "google__gemma-4-31B"),
    ("gemma-4-e2b", "google__gemma-4-E2B"),
    ("glm-4-9b-0414", "zai-org__GLM-4-9B-0414"),
    ("glm-4.5-air", "zai-org__GLM-4.5-Air"),
    ("glm-5-dsa", "zai-org__GLM-5"),
    ("gpt-oss-120b", "openai__gpt-oss-120b"),
    ("gpt-oss-20b", "openai__gpt-oss-20b"),
    ("gpt2", "openai-community__gpt2"),
    ("jamba-v0.1", "ai21labs__Jamba-v0.1"),
    ("kimi-linear-48b-a3b", "moonshotai__Kimi-Linear-48B-A3B-Instruct"),
    ("lfm2-1.2b", "LiquidAI__LFM2-1.2B"),
    ("lfm2-8b-a1b", "LiquidAI__LFM2-8B-A1B"),
    ("llama-3.1-70b", "meta-llama__Meta-Llama-3.1-70B"),
    ("llama-3.1-8b", "meta-llama__Meta-Llama-3.1-8B"),
    ("llama-3.2-1b", "meta-llama__Llama-3.2-1B-Instruct"),
    ("llama-4-scout", "meta-llama__Llama-4-Scout-17B-16E-Instruct"),
    ("mamba-2.8b", "state-spaces__mamba-2.8b-hf"),
    ("mimo-v2-flash", "XiaomiMiMo__MiMo-V2-Flash"),
    ("minicpm3-4b", "openbmb__MiniCPM3-4B"),
    ("minimax-01", "MiniMaxAI__MiniMax-M1-80k"),
    ("minimax-m2", "MiniMaxAI__MiniMax-M2"),
    ("mistral-7b-v0.1", "mistralai__Mistral-7B-v0.1"),
    ("mixtral-8x7b", "mistralai__Mixtral-8x7B-v0.1"),
    ("nemotron-h-8b", "nvidia__Nemotron-H-8B-Base-8K"),
    ("olmo2-7b", "allenai__OLMo-2-1124-7B"),
    ("olmo3-32b", "allenai__Olmo-3-32B-Think"),
    ("olmo3-7b", "allenai__Olmo-3-7B-Instruct"),
    ("phi-2", "microsoft__phi-2"),
    ("phi-3-mini-4k", "microsoft__Phi-3-mini-4k-instruct"),
    ("phi-4", "microsoft__phi-4"),
    ("qwen2.5-0.5b", "Qwen__Qwen2.5-0.5B"),
    ("qwen2.5-7b", "Qwen__Qwen2.5-7B"),
    ("qwen3-0.6b", "Qwen__Qwen3-0.6B"),
    ("qwen3-30b-a3b", "Qwen__Qwen3-30B-A3B"),
    ("qwen3-8b", "Qwen__Qwen3-8B"),
    ("qwen3-next-80b-a3b", "Qwen__Qwen3-Next-80B-A3B-Instruct"),
    ("qwen3.5-27b", "Qwen__Qwen3.5-27B"),
    ("qwen3.5-35b-a3b", "Qwen__Qwen3.5-35B-A3B"),
    ("smollm3-3b", "HuggingFaceTB__SmolLM3-3B"),
    ("stablelm-3b", "stabilityai__stablelm-3b-4e1t"),
    ("tinyllama-1.1b", "TinyLlama__TinyLlama-1.1B-Chat-v1.0"),
];

/// A publisher's configuration, imported, is allocated as the GGUF made of the same model is.
#[test]
fn a_publishers_configuration_is_allocated_as_the_gguf_of_the_same_model() {
    let mut configs: HashMap<String, Value> = HashMap::new();
    for line in read("data/configs/configs.jsonl.gz").lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let name = row["file"].as_str().unwrap().trim_end_matches(".json").to_owned();
        if let Ok(config) = serde_json::from_str(row["text"].as_str().unwrap()) {
            configs.insert(name, config);
        }
    }
    let (mut asked, mut wrong) = (0, Vec::new());
    for case in unpacked("footprint.cases.jsonl.gz").lines() {
        let case: Value = serde_json::from_str(case).unwrap();
        let Some((_, config)) = PUBLISHED.iter().find(|(name, _)| case["model"] == *name) else { continue };
        // n_ctx 0 is the trained length, in which file and configuration may differ.
        if case["params"]["n_ctx"] == 0 {
            continue;
        }
        let engine = options(case["params"].as_object().unwrap());
        let request = json!({ "model": { "hf": configs[*config] }, "engine": engine });
        let plan: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
        asked += 1;
        let mut found = differences(&plan, &case["expect"]);
        // Files state vocabularies as padded by their converters.
        found.retain(|difference| !difference.starts_with("output_buffer_bytes"));
        if !found.is_empty() {
            wrong.push(format!("{}: {} {}", case["id"], found.join("; "), plan["error"]));
        }
    }
    assert!(asked > 1000, "{asked} cases asked");
    assert!(
        wrong.is_empty(),
        "{} of {asked} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
}
