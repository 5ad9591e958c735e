//! How long an inverse takes: one number, and the longest context of ten cache types in every split.
//!
//! `cargo bench -p kvplan-core --bench fit`. A planner asks these between two key strokes: 5 ms for a whole table.
#![expect(clippy::unwrap_used, reason = "a benchmark whose request fails measures nothing")]

use divan::{Bencher, black_box};
use kvplan_core::fit::{Unknown, choices, largest};
use kvplan_core::plan::{Request, resolve_model};

/// A hybrid on one card, a latent model on eight, windows on two.
const CASES: &[&str] = &[
    r#"{"model":"qwen3.6-27b","engine":{"name":"llama.cpp"},"hardware":[{"device":"rtx-5090"}],"weights":{"bytes":16647000000}}"#,
    r#"{"model":"gemma-3-27b","engine":{"name":"llama.cpp"},"hardware":[{"device":"rtx-4090","count":2}],"weights":{"bytes":17000000000}}"#,
    r#"{"model":"deepseek-v3","engine":{"name":"vllm"},"hardware":[{"device":"h200-sxm-141gb","count":8}],"weights":{"bytes":688586727753}}"#,
    r#"{"model":"qwen3.6-27b","engine":{"name":"vllm"},"hardware":[{"device":"h100-sxm-80gb","count":4}],"weights":{"bytes":55000000000}}"#,
    r#"{"model":"llama-3.1-70b","hardware":[{"device":"rtx-3090","count":8}],"weights":{"bytes":42000000000}}"#,
];

fn main() {
    divan::main();
}

#[divan::bench(args = 0..CASES.len())]
fn longest_context(bencher: Bencher, case: usize) {
    let request = Request::parse(CASES[case].as_bytes()).unwrap();
    let model = resolve_model(&request.model).unwrap();
    bencher.bench(|| largest(black_box(&request), &model, Unknown::Context).unwrap());
}

#[divan::bench(args = 0..CASES.len())]
fn table_of_types_and_splits(bencher: Bencher, case: usize) {
    let request = Request::parse(CASES[case].as_bytes()).unwrap();
    let model = resolve_model(&request.model).unwrap();
    bencher.bench(|| choices(black_box(&request), &model, Unknown::Context).unwrap());
}
