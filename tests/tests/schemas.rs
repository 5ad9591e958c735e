//! The schemas describe what is really read and written: every spec, every truth request, every answer validates.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

use flate2::read::GzDecoder;
use kvplan_core::plan::{Plan, Request, answer_line};
use kvplan_core::spec::{SpecFile, catalog};
use schemars::schema_for;
use serde_json::Value;
use std::io::Read as _;

fn validator(schema: schemars::Schema) -> jsonschema::Validator {
    jsonschema::validator_for(&schema.to_value()).unwrap()
}

/// vLLM's truth rows: requests as scripts write them.
fn requests() -> Vec<Value> {
    let packed: &[u8] = include_bytes!("../data/truth/engines/vllm.jsonl.gz");
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["request"].take()).collect()
}

#[test]
fn every_catalogued_spec_is_valid_under_the_spec_schema() {
    let schema = validator(schema_for!(SpecFile));
    for model in catalog::all() {
        let record = serde_json::to_value(model.unwrap().record()).unwrap();
        let errors: Vec<String> = schema.iter_errors(&record).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", record["id"]);
    }
}

#[test]
fn requests_and_answers_of_real_engines_are_valid_under_theirs() {
    let (request, plan) = (validator(schema_for!(Request)), validator(schema_for!(Plan)));
    let mut answered = 0;
    for asked in requests() {
        let errors: Vec<String> = request.iter_errors(&asked).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{asked}");
        let answer: Value = serde_json::from_str(&answer_line(&asked.to_string())).unwrap();
        if answer.get("error").is_none() {
            let errors: Vec<String> = plan.iter_errors(&answer).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{errors:?}\n{answer}");
            answered += 1;
        }
    }
    assert!(answered > 50, "only {answered} answers were checked");
}

#[test]
fn the_request_schema_refuses_what_the_parser_refuses() {
    let schema = validator(schema_for!(Request));
    for wrong in [
        r#"{"context": 1}"#,
        r#"{"model": "qwen3-8b", "contxt": 1}"#,
        r#"{"model": "qwen3-8b", "engine": {"name": "llama.cpp", "n_ubtch": 1}}"#,
        r#"{"model": {"hf": {}, "gguf": {}}}"#,
    ] {
        assert!(!schema.is_valid(&serde_json::from_str(wrong).unwrap()), "{wrong}");
        assert!(answer_line(wrong).contains("\"error\""), "{wrong}");
    }
}
