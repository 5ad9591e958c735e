//! A request that is written down asks the same question, in as few words.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its truth has failed")]

use flate2::read::GzDecoder;
use kvplan_core::plan::{Request, answer_line};
use rstest::rstest;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;

fn written(request: &Value) -> Value {
    let request = Request::parse(request.to_string().as_bytes()).map_err(|(_, error)| error).unwrap();
    serde_json::to_value(&request).unwrap()
}

#[rstest]
#[case("sglang")]
#[case("transformers")]
#[case("mlx-lm")]
#[case("exllamav3")]
#[case("tensorrt-llm")]
#[case("vllm")]
fn every_recorded_request_asks_the_same_after_it_was_written_down(#[case] engine: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("data/truth/engines/{engine}.jsonl.gz"));
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    for line in text.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let again = written(&row["request"]);
        assert_eq!(written(&again), again);
        assert_eq!(
            answer_line(&again.to_string()),
            answer_line(&row["request"].to_string()),
            "{}",
            row["id"]
        );
    }
}

#[test]
fn what_is_at_its_default_is_not_written() {
    let asked = json!({
        "model": "qwen3-8b", "engine": { "name": "llama.cpp", "n_seq_max": 4 }, "context": 8192, "cache": { "k": "q8_0" },
        "mtp": 0, "hardware": [], "placement": { "tp": 1 }, "explain": false
    });
    let expected = json!({
        "model": "qwen3-8b", "engine": { "name": "llama.cpp", "n_seq_max": 4 }, "context": 8192, "cache": { "k": "q8_0" }
    });
    assert_eq!(written(&asked), expected);
}

#[test]
fn a_carried_model_is_written_in_the_form_it_came_in() {
    let spec = json!({ "model": { "spec": { "layers": [{ "count": 2, "kind": "full", "kv_heads": 1, "k_dim": 64, "v_dim": 64 }] } } });
    assert_eq!(written(&spec), spec);
}
