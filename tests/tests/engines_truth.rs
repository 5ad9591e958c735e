//! SGLang, transformers, MLX, ExLlamaV3 and TensorRT-LLM against what their own cache code allocated, sized or raised.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its truth has failed")]

use flate2::read::GzDecoder;
use kvplan_core::plan::answer_line;
use rstest::rstest;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;

fn rows(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/truth/engines").join(file);
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// What of the answer differs from the row; empty when nothing does.
fn differences(row: &Value, answer: &Value) -> Vec<String> {
    let expect = row["expect"].as_object().unwrap();
    if let Some(refused) = expect.get("refused").and_then(Value::as_str) {
        let error = &answer["error"];
        let said = error["message"].as_str().unwrap_or_default();
        if error["kind"] == "engine-refuses" && said.starts_with(refused) {
            return Vec::new();
        }
        return vec![format!("{answer} instead of a refusal: {refused}")];
    }
    if !answer["error"].is_null() {
        return vec![answer["error"].to_string()];
    }
    let kv = &answer["kv"];
    let mut wrong = Vec::new();
    for (key, value) in expect {
        match key.as_str() {
            "allocated_bytes" if kv["allocated_bytes"] != *value => {
                wrong.push(format!("allocated {} instead of {value}", kv["allocated_bytes"]));
            }
            "allocated_bytes" => {}
            "engine_report" => {
                for (key, value) in value.as_object().unwrap() {
                    let ours = &kv["engine_report"][key];
                    if ours != value {
                        wrong.push(format!("{key}: {ours} instead of {value}"));
                    }
                }
            }
            other => wrong.push(format!("the row expects `{other}`, which this test does not compare")),
        }
    }
    wrong
}

/// Figures that must hold in every answer: the parts add up, and nothing is negative.
fn inconsistencies(answer: &Value) -> Vec<String> {
    let kv = &answer["kv"];
    let n = |v: &Value| v.as_u64().unwrap_or(0);
    let mut wrong = Vec::new();
    let used = n(&kv["allocated_bytes"]) - n(&kv["pool_free_bytes"]);
    if n(&kv["waste_bytes"]) != used.saturating_sub(n(&kv["payload_bytes"])) {
        wrong.push(format!("waste {} of {used} used", kv["waste_bytes"]));
    }
    let roles: u64 = kv["by_role"].as_object().unwrap().values().map(n).sum();
    if roles > n(&kv["allocated_bytes"]) {
        wrong.push(format!("roles hold {roles} of {}", kv["allocated_bytes"]));
    }
    wrong
}

#[rstest]
#[case::sglang("sglang.jsonl.gz", 238)]
#[case::transformers("transformers.jsonl.gz", 117)]
#[case::mlx("mlx-lm.jsonl.gz", 157)]
#[case::exllamav3("exllamav3.jsonl.gz", 198)]
#[case::tensorrt_llm("tensorrt-llm.jsonl.gz", 6)]
fn every_row_is_equal_in_every_figure(#[case] file: &str, #[case] count: usize) {
    let mut failed = Vec::new();
    let rows = rows(file);
    assert_eq!(rows.len(), count, "rows of {file}");
    for row in &rows {
        let answer: Value = serde_json::from_str(&answer_line(&row["request"].to_string())).unwrap();
        let mut wrong = differences(row, &answer);
        if wrong.is_empty() && answer["error"].is_null() {
            wrong.extend(inconsistencies(&answer));
        }
        if !wrong.is_empty() {
            failed.push(format!("{} {}: {}", row["id"], row["model"], wrong.join("; ")));
        }
    }
    assert!(failed.is_empty(), "{} of {} rows differ:\n{}", failed.len(), rows.len(), failed.join("\n"));
}
