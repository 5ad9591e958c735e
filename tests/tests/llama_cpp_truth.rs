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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/truth/llama_cpp").join(file);
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
