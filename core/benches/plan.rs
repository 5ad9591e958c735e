//! How long a plan takes: from a parsed request, and from a line of JSON to a line of JSON.
//!
//! `cargo bench -p kvplan-core --bench plan`. The first run of a model parses its spec; divan's warm-up absorbs it.
#![expect(clippy::unwrap_used, reason = "a benchmark whose request fails measures nothing")]

use divan::{Bencher, black_box};
use kvplan_core::plan::{Request, answer_into, plan};

/// A plain, a windowed, a hybrid and a compressed model, on every engine that is modelled.
const CASES: &[(&str, &str)] = &[
    ("qwen3-8b", r#"{"name":"payload"}"#),
    ("qwen3-8b", r#"{"name":"llama.cpp"}"#),
    ("qwen3-8b", r#"{"name":"vllm"}"#),
    ("gemma-3-27b", r#"{"name":"llama.cpp"}"#),
    ("gemma-3-27b", r#"{"name":"vllm"}"#),
    ("qwen3.6-27b", r#"{"name":"llama.cpp"}"#),
    ("qwen3.6-27b", r#"{"name":"vllm"}"#),
    ("deepseek-v4-flash", r#"{"name":"llama.cpp"}"#),
];

fn line(case: &(&str, &str)) -> String {
    let (model, engine) = case;
    format!(r#"{{"id":"a","model":"{model}","engine":{engine},"context":32768,"sequences":1}}"#)
}

fn main() {
    divan::main();
}

#[divan::bench(args = 0..CASES.len())]
fn parsed_request_to_plan(bencher: Bencher, case: usize) {
    let request = Request::parse(line(&CASES[case]).as_bytes()).unwrap();
    bencher.bench(|| plan(black_box(&request)));
}

#[divan::bench(args = 0..CASES.len())]
fn line_to_line(bencher: Bencher, case: usize) {
    let line = line(&CASES[case]);
    let mut out = Vec::with_capacity(4096);
    bencher.bench_local(|| {
        out.clear();
        answer_into(black_box(line.as_bytes()), &mut out);
        out.len()
    });
}
