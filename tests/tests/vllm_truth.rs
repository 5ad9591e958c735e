//! vLLM 0.33.0 against what its own planner computed (`vllm.jsonl.gz`) and what published logs print
//! (`logs.vllm.jsonl.gz`).
#![expect(clippy::unwrap_used, reason = "a test that cannot read its truth has failed")]

use flate2::read::GzDecoder;
use kvplan_core::plan::answer_line;
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
    let expect = &row["expect"];
    let mut wrong = Vec::new();
    if let Some(refused) = expect["refused"].as_str() {
        let error = &answer["error"];
        let message = error["message"].as_str().unwrap_or_default();
        // The rows cut vLLM's text short.
        if error["kind"] != "engine-refuses" || !message.starts_with(refused) {
            wrong.push(format!("refusal: {error} instead of {refused}"));
        }
        return wrong;
    }
    if answer["kv"]["allocated_bytes"] != expect["allocated_bytes"] {
        wrong.push(format!(
            "allocated {} instead of {}",
            answer["kv"]["allocated_bytes"], expect["allocated_bytes"]
        ));
    }
    let report = expect["engine_report"].as_object().unwrap();
    for (key, value) in report {
        let ours = &answer["kv"]["engine_report"][key];
        if ours != value {
            wrong.push(format!("{key}: {ours} instead of {value}"));
        }
    }
    if !answer["error"].is_null() {
        wrong.push(answer["error"].to_string());
    }
    wrong
}

#[test]
fn every_row_of_the_planner_is_equal_in_every_figure() {
    let mut failed = Vec::new();
    let rows = rows("vllm.jsonl.gz");
    for row in &rows {
        let answer: Value = serde_json::from_str(&answer_line(&row["request"].to_string())).unwrap();
        let wrong = differences(row, &answer);
        if !wrong.is_empty() {
            failed.push(format!("{} {}: {}", row["id"], row["model"], wrong.join("; ")));
        }
    }
    assert!(failed.is_empty(), "{} of {} rows differ:\n{}", failed.len(), rows.len(), failed.join("\n"));
}
