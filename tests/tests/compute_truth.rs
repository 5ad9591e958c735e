//! Compute buffers against those that llama.cpp 0c1e57098 allocated on a processor, and on emulated devices.
//!
//! Asked of the catalogued models that the cases name; `tests/data/README.md` says how the figures were taken.
#![expect(clippy::unwrap_used, reason = "a case that cannot be read has failed")]

use flate2::read::GzDecoder;
use kvplan_core::plan::answer_line;
use kvplan_core::spec::catalog;
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::path::Path;

fn unpacked(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/truth/llama_cpp").join(file);
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// The case as a request about the catalogued model of that name; `None` where there is none.
fn request(case: &Value) -> Option<Value> {
    let model = case["model"].as_str().unwrap();
    catalog::find(model).ok().filter(|found| found.record().shape.is_some())?;
    let mut engine = Map::from_iter([("name".to_owned(), json!("llama.cpp"))]);
    let mut hardware = vec![json!({ "device": "CPU", "memory_bytes": 1u64 << 50 })];
    for (key, value) in case["params"].as_object().unwrap() {
        match (key.as_str(), value) {
            ("offload", Value::Object(offload)) => {
                for n in 0..offload["n_devices"].as_u64().unwrap() {
                    hardware.push(json!({ "device": format!("GPU{n}"), "memory_bytes": 1u64 << 40 }));
                }
                engine.insert("n_gpu_layers".to_owned(), offload["n_gpu_layers"].clone());
                if offload["tensor_split"].is_string() {
                    engine.insert("tensor_split".to_owned(), offload["tensor_split"].clone());
                }
                if offload["override_tensor_to_cpu"].is_string() {
                    return None;
                }
            }
            ("offload", _) => {}
            (_, value) => drop(engine.insert(key.clone(), value.clone())),
        }
    }
    Some(json!({ "model": model, "engine": engine, "hardware": hardware }))
}

/// Ours without the output buffer, and the engine's; and whether ours says it is exact.
fn pairs(file: &str) -> Vec<(String, u64, u64, bool)> {
    let mut pairs = Vec::new();
    for line in unpacked(file).lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let Some(theirs) = case["expect"]["compute_buffer_bytes"].as_u64() else { continue };
        let Some(request) = request(&case) else { continue };
        let plan: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
        let Some(ours) = plan["compute"]["bytes"].as_u64() else { continue };
        let output = plan["kv"]["engine_report"]["output_buffer_bytes"].as_u64().unwrap();
        pairs.push((case["id"].to_string(), ours - output, theirs, plan["compute"]["basis"] == "exact"));
    }
    pairs
}

/// Percent that `ours` is off.
fn off(ours: u64, theirs: u64) -> u64 {
    ours.abs_diff(theirs) * 100 / theirs
}

#[test]
fn what_is_said_to_be_exact_is_and_the_rest_is_near() {
    let pairs = pairs("footprint.cases.jsonl.gz");
    let (exact, near): (Vec<_>, Vec<_>) = pairs.iter().partition(|(.., exact)| *exact);
    for (id, ours, theirs, _) in &exact {
        assert_eq!(ours, theirs, "{id}");
    }
    let within = near.iter().filter(|(_, ours, theirs, _)| off(*ours, *theirs) <= 10).count();
    let far: Vec<_> = near.iter().filter(|(_, ours, theirs, _)| off(*ours, *theirs) > 10).collect();
    println!("{} exact, {within} of {} within 10 %; off: {far:#?}", exact.len(), near.len());
    assert!(exact.len() >= 59, "{}", exact.len());
    assert!(within * 100 >= near.len() * 90, "{within} of {}", near.len());
}

#[test]
fn several_devices_have_about_what_the_engine_gives_them() {
    let mut errors: Vec<(u64, String)> = Vec::new();
    for line in unpacked("offload.cases.jsonl.gz").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let Some(request) = request(&case) else { continue };
        let plan: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
        let devices = plan["devices"].as_array().unwrap();
        for buffer in case["expect"]["compute_buffers"].as_array().unwrap() {
            let theirs = buffer["bytes"].as_u64().unwrap();
            let row = devices.iter().find(|d| d["name"] == buffer["buft"]);
            let Some(mut ours) = row.and_then(|d| d["compute_bytes"].as_u64()) else { continue };
            if buffer["buft"] == "CPU" {
                ours -= plan["kv"]["engine_report"]["output_buffer_bytes"].as_u64().unwrap();
            }
            // Below 64 MiB nothing is decided by it.
            if theirs > 64 << 20 {
                errors
                    .push((off(ours, theirs), format!("{} {}: {ours} {theirs}", case["id"], buffer["buft"])));
            }
        }
    }
    errors.sort();
    let at = |percent: usize| errors[errors.len() * percent / 100].0;
    println!(
        "{} buffers; median {} %, P90 {} %; worst {:#?}",
        errors.len(),
        at(50),
        at(90),
        &errors[errors.len() - 12..]
    );
    assert!(errors.len() > 200 && at(50) <= 5 && at(90) <= 25, "median {} %, P90 {} %", at(50), at(90));
}
