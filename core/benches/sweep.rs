//! What a point of a sweep costs, from the line to the text of its answer, in batches of 1,000 points.
//!
//! `cargo bench -p kvplan-core --bench sweep`: times 1,000 is a sweep of a million plans on one core.
#![expect(clippy::unwrap_used, reason = "a benchmark whose request fails measures nothing")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use kvplan_core::plan::{Detail, Memo};
use kvplan_core::sweep::Sweep;

/// A million points each: a plain engine, a grouped one, a machine to fit; with weights by format, and a draft model.
const SWEEPS: &[&str] = &[
    r#"{"model":["qwen3-8b","llama-3.1-8b"],"engine":{"name":"llama.cpp"},"context":{"from":256,"to":128000,"step":256},"sequences":{"from":1,"to":100,"step":1},"cache":{"k":["f16","q8_0","q5_1","q4_0","q4_1"],"v":["f16","q8_0"]}}"#,
    r#"{"model":["qwen3-8b","gemma-3-27b"],"engine":{"name":"vllm"},"context":{"from":256,"to":128000,"step":256},"sequences":{"from":1,"to":1000,"step":1}}"#,
    r#"{"model":["qwen3-8b","llama-3.1-8b"],"engine":{"name":"llama.cpp"},"context":{"from":256,"to":128000,"step":256},"sequences":{"from":1,"to":100,"step":1},"cache":{"k":["f16","q8_0","q5_1","q4_0","q4_1"],"v":["f16","q8_0"]},"hardware":[{"device":"rtx-5090"}],"weights":{"bytes":8000000000}}"#,
    r#"{"model":["qwen3-8b","llama-3.1-8b"],"engine":{"name":"llama.cpp"},"context":{"from":256,"to":128000,"step":256},"sequences":{"from":1,"to":100,"step":1},"cache":{"k":["f16","q8_0","q5_1","q4_0","q4_1"],"v":["f16","q8_0"]},"hardware":[{"device":"rtx-5090"}],"weights":{"format":"Q4_K_M"}}"#,
    r#"{"model":["qwen3-8b","llama-3.1-8b"],"engine":{"name":"llama.cpp"},"context":{"from":256,"to":128000,"step":256},"sequences":{"from":1,"to":100,"step":1},"cache":{"k":["f16","q8_0","q5_1","q4_0","q4_1"],"v":["f16","q8_0"]},"hardware":[{"device":"rtx-5090"}],"weights":{"format":"Q4_K_M"},"extras":{"draft":"qwen3-0.6b","draft_weights":{"format":"Q8_0"}}}"#,
];

fn main() {
    divan::main();
}

#[divan::bench(args = 0..SWEEPS.len())]
fn a_thousand_points(bencher: Bencher, case: usize) {
    let sweep = Sweep::parse(SWEEPS[case].as_bytes()).unwrap().unwrap();
    assert_eq!(sweep.len(), 1_000_000);
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    bencher.counter(ItemsCount::new(1000u64)).bench_local(|| {
        let (mut bytes, mut memo) = (0, Memo::of_many());
        // Spread over the whole sweep.
        for point in (0..sweep.len()).step_by(1000) {
            request.clear();
            answer.clear();
            sweep.request_into(black_box(point), &mut request);
            memo.answer_into(&request, Detail { max_context: false }, &mut answer);
            bytes += answer.len();
        }
        bytes
    });
}
