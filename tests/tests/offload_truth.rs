//! Where llama.cpp 0c1e57098 put each layer and each cache on one to three devices, asked again through the request
//! line.
//!
//! `offload`: eight models, `-ngl`, `-ts`, `-nkvo` and expert overrides, the devices emulated over RPC
//! (`tests/data/README.md`).
#![expect(clippy::unwrap_used, reason = "a case that cannot be read has failed")]

use flate2::read::GzDecoder;
use kvplan_core::plan::answer_line;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

fn unpacked(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/truth/llama_cpp").join(file);
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// The request of a case: its devices are equal and larger than anything asked of them.
fn request(case: &Value, model: &Value) -> Value {
    let mut engine = Map::from_iter([("name".to_owned(), json!("llama.cpp"))]);
    let mut hardware = Vec::new();
    for (key, value) in case["params"].as_object().unwrap() {
        if key != "offload" {
            engine.insert(key.clone(), value.clone());
            continue;
        }
        assert_eq!(value["split_mode"], "layer");
        for n in 0..value["n_devices"].as_u64().unwrap() {
            hardware.push(json!({ "device": format!("GPU{n}"), "memory_bytes": 1u64 << 40 }));
        }
        engine.insert("n_gpu_layers".to_owned(), value["n_gpu_layers"].clone());
        if let Value::String(split) = &value["tensor_split"] {
            engine.insert("tensor_split".to_owned(), json!(split));
        }
        if let Value::String(pattern) = &value["override_tensor_to_cpu"] {
            engine.insert("override_tensor".to_owned(), json!([format!("{pattern}=CPU")]));
        }
    }
    json!({ "model": { "gguf": model }, "engine": engine, "hardware": hardware })
}

/// What the engine keeps on each device: its caches' and its recurrent memory's buffers, summed.
fn held(expect: &Value) -> BTreeMap<String, u64> {
    let mut held = BTreeMap::new();
    let caches = expect["caches"].as_array().unwrap().iter().chain(expect.get("recurrent"));
    for buffer in caches.flat_map(|cache| cache["bufs"].as_array().unwrap()) {
        let name = buffer["buft"].as_str().unwrap().to_owned();
        *held.entry(name).or_default() += buffer["bytes"].as_u64().unwrap();
    }
    held.retain(|_, bytes| *bytes > 0);
    held
}

#[test]
fn every_layer_and_every_byte_of_the_cache_is_on_the_engines_device() {
    let models: Map<String, Value> = serde_json::from_str(&unpacked("offload.models.json.gz")).unwrap();
    let (mut asked, mut wrong) = (0, Vec::new());
    for line in unpacked("offload.cases.jsonl.gz").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let expect = &case["expect"];
        let request = request(&case, &models[case["model"].as_str().unwrap()]["gguf"]);
        let plan: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
        let report = &plan["kv"]["engine_report"];
        let mut found = Vec::new();
        let mut same = |what: &str, ours: &Value, theirs: &Value| {
            if ours != theirs {
                found.push(format!("{what}: {ours}, the engine has {theirs}"));
            }
        };
        same("layer_device", &report["layer_device"], &expect["layer_device"]);
        for (i, cache) in expect["caches"].as_array().unwrap().iter().enumerate() {
            same(&format!("caches[{i}]"), &report["caches"][i], cache);
        }
        if let Some(recurrent) = expect.get("recurrent") {
            same("recurrent", &report["recurrent"]["bufs"], &recurrent["bufs"]);
        }
        let devices: BTreeMap<String, u64> = plan["devices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| (d["name"].as_str().unwrap().to_owned(), d["kv_bytes"].as_u64().unwrap()))
            .filter(|(_, bytes)| *bytes > 0)
            .collect();
        same("devices", &json!(devices), &json!(held(expect)));
        asked += 1;
        if !found.is_empty() {
            wrong.push(format!("{}: {} {}", case["id"], found.join("; "), plan["error"]));
        }
    }
    assert_eq!(asked, 348, "cases in the file");
    assert!(
        wrong.is_empty(),
        "{} of {asked} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
}
