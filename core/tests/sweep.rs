//! Lines that stand for many requests: what varies, in which order, and that every point is a request of its own.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a line that cannot be read has failed")]

use kvplan_core::plan::{Detail, Memo};
use kvplan_core::sweep::Sweep;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

fn sweep(line: &str) -> Sweep {
    Sweep::parse(line.as_bytes()).unwrap().unwrap_or_else(|| panic!("{line} is plain"))
}

fn points(line: &str) -> Vec<String> {
    let sweep = sweep(line);
    let text = |n| {
        let mut out = Vec::new();
        sweep.request_into(n, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..sweep.len()).map(text).collect()
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_field_written_last_varies_fastest() {
    let seen =
        points(r#"{"context": [1, 2], "model": ["a", "b"], "sequences": {"from": 1, "to": 5, "step": 2}}"#);
    let expected: Vec<String> = [1, 2]
        .iter()
        .flat_map(|c| ["a", "b"].iter().map(move |m| (c, m)))
        .flat_map(|(c, m)| {
            [1, 3, 5].iter().map(move |s| format!(r#"{{"context": {c}, "model": "{m}", "sequences": {s}}}"#))
        })
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_point_says_what_is_particular_to_it() {
    let sweep =
        sweep(r#"{"model":"a","cache":{"k":["f16","q8_0"]},"engine":{"name":"vllm","block_size":[16,32]}}"#);
    let mut out = Vec::new();
    sweep.point_into(1, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), r#"{"cache.k":"f16","engine.block_size":32}"#);
}

#[test]
fn whole_engines_and_machines_are_swept_and_so_is_what_is_in_them() {
    let line = json!({ "model": "m", "engine": [{ "name": "llama.cpp", "n_ubatch": [256, 512] }, { "name": "vllm" }],
        "hardware": [[{ "device": "a" }, { "device": "CPU", "memory_bytes": 1 }], [{ "device": "b", "count": [1, 2] }]] });
    let seen: Vec<Value> = points(&line.to_string()).iter().map(|text| read(text)).collect();
    // (2 + 1) engines × (1 + 2) machines.
    assert_eq!(seen.len(), 9);
    assert!(
        seen.iter().all(|request| request["hardware"].is_array() && request["engine"]["name"].is_string())
    );
    assert_eq!(seen.iter().filter(|request| request["engine"]["n_ubatch"] == 512).count(), 3);
    assert_eq!(seen.iter().filter(|request| request["hardware"][0]["count"] == 2).count(), 3);
}

/// Nothing in these is several values of one field.
#[rstest]
#[case(r#"{"model": "m", "context": 1}"#)]
#[case(r#"{"id": [1, 2, {"from": 1}], "model": "m"}"#)]
#[case(r#"{"model": {"hf": {"layer_types": ["a", "b"], "rope": {"from": 1, "to": 2, "step": 1}}}}"#)]
#[case(r#"{"model": "m", "hardware": [{"device": "a"}, {"device": "b"}]}"#)]
#[case(r#"{"model": "m", "engine": {"name": "llama.cpp", "override_tensor": ["a=CPU"], "tensor_split": [3, 1]}}"#)]
#[case(r#"{"model": "m", "engine": {"name": "tensorrt-llm", "max_attention_window": [1, 2]}}"#)]
#[case("not json [")]
#[case("[1, 2]")]
#[case("")]
fn a_line_with_lists_that_are_lists_by_nature_is_plain(#[case] line: &str) {
    assert_eq!(Sweep::parse(line.as_bytes()), Ok(None));
}

#[rstest]
#[case(r#"{"engine": {"name": "llama.cpp", "override_tensor": [["a=CPU"], []]}}"#, 2)]
#[case(r#"{"engine": {"name": "llama.cpp", "tensor_split": ["3,1", "1,1"]}}"#, 2)]
#[case(r#"{"engine": {"name": "llama.cpp", "tensor_split": [[3, 1], [1, 1], [0, 1]]}}"#, 3)]
#[case(r#"{"model": ["m", {"hf": {"layer_types": ["a", "b"]}}]}"#, 2)]
#[case(r#"{"context": {"from": 1000, "to": 100000, "times": 10}}"#, 3)]
#[case(r#"{"context": {"from": 7, "to": 7, "step": 1}}"#, 1)]
fn several_of_them_are_counted(#[case] line: &str, #[case] count: u64) {
    assert_eq!(sweep(line).len(), count);
}

#[rstest]
#[case(r#"{"id": 7, "context": []}"#, "context", "invalid")]
#[case(r#"{"id": 7, "cache": {"k": {"from": 2, "to": 1, "step": 1}}}"#, "cache.k", "invalid")]
#[case(r#"{"id": 7, "context": {"from": 1, "to": 2}}"#, "context", "invalid")]
#[case(r#"{"id": 7, "context": {"from": 1, "to": 2, "step": 0}}"#, "context", "invalid")]
#[case(r#"{"id": 7, "context": {"from": 0, "to": 2, "times": 2}}"#, "context", "invalid")]
#[case(r#"{"id": 7, "context": {"from": 1.5, "to": 2, "step": 1}}"#, "context", "invalid")]
#[case(
    r#"{"id": 7, "context": {"from": 0, "to": 18446744073709551614, "step": 1}, "sequences": [1, 2]}"#,
    "context",
    "overflow"
)]
fn a_sweep_that_goes_nowhere_names_its_field(#[case] line: &str, #[case] field: &str, #[case] kind: &str) {
    let (id, error) = Sweep::parse(line.as_bytes()).unwrap_err();
    assert_eq!((id, error.field.as_str(), error.kind.to_string().as_str()), (Some(json!(7)), field, kind));
}

/// A value of a request, and the values that a sweep of it stands for.
fn axis() -> impl Strategy<Value = (Value, Vec<Value>)> {
    prop_oneof![
        any::<u32>().prop_map(|n| (json!(n), vec![json!(n)])),
        prop::collection::vec(any::<u32>(), 1..4)
            .prop_map(|list| (json!(list), list.into_iter().map(Value::from).collect())),
        (0u64..100, 0u64..50, 1u64..7).prop_map(|(from, more, step)| {
            let all = (from..=from + more).step_by(usize::try_from(step).unwrap());
            (json!({ "from": from, "to": from + more, "step": step }), all.map(Value::from).collect())
        }),
        (1u64..9, 1u64..5000, 2u64..5).prop_map(|(from, more, times)| {
            let all =
                std::iter::successors(Some(from), |n| Some(n * times)).take_while(|n| *n <= from + more);
            (json!({ "from": from, "to": from + more, "times": times }), all.map(Value::from).collect())
        }),
    ]
}

proptest! {
    /// The points are the cross product, each once.
    #[test]
    fn the_points_are_the_cross_product((a, many_a) in axis(), (b, many_b) in axis(), (c, many_c) in axis(), pretty: bool) {
        let line = json!({ "context": a, "engine": { "n_ubatch": b }, "reserve": { "in_use_bytes": c } });
        let text = if pretty { serde_json::to_string_pretty(&line).unwrap() } else { line.to_string() };
        let mut expected = Vec::new();
        for a in &many_a {
            for b in &many_b {
                for c in &many_c {
                    expected.push(json!({ "context": a, "engine": { "n_ubatch": b }, "reserve": { "in_use_bytes": c } }));
                }
            }
        }
        match Sweep::parse(text.as_bytes()).unwrap() {
            None => prop_assert_eq!(expected, vec![line]),
            Some(_) => {
                let seen: Vec<Value> = points(&text).iter().map(|text| read(text)).collect();
                prop_assert_eq!(seen, expected);
            }
        }
    }
}

/// Everything that a memo keeps, varied against everything that it does not.
#[rstest]
#[case(json!({ "model": ["qwen3-8b", "deepseek-v3"], "cache": { "kv": [null, "q8_0", "fp8_e4m3"] },
    "engine": [{ "name": "llama.cpp" }, { "name": "vllm" }, { "name": "llama.cpp", "flash_attn": "off" }, null],
    "weights": [{ "format": "bf16" }, { "format": "Q8_0" }, { "bytes": 9_000_000_000u64 }, null],
    "hardware": [[{ "device": "rtx-5090" }], [{ "device": "h200-sxm-141gb", "count": 2 }], []],
    "sequences": [1, 2, 8], "context": [4096, 32_768] }))]
#[case(json!({ "model": ["qwen3-8b", "deepseek-v3"], "engine": [{ "name": "llama.cpp" }, null], "context": 4096,
    "weights": { "format": "Q8_0" }, "hardware": [{ "device": "rtx-5090" }], "mtp": [0, 1],
    "what_if": [null, { "projections": "k=v" }, { "projections": "q=k=v" }], "reserve": [{}, { "in_use_bytes": 7 }],
    "extras": [null, { "draft": "qwen3-0.6b" }, { "draft": "qwen3-0.6b", "draft_weights": { "format": "Q8_0" } },
               { "draft": "llama-3.2-1b", "draft_cache": { "kv": "q8_0" } }, { "lora_bytes": 7 }, { "draft": "none" }] }))]
#[case(json!({ "model": [{ "spec": { "layers": [{ "count": 4, "kind": "full", "kv_heads": 2, "k_dim": 64, "v_dim": 64 }] } }, "llama-3.1-8b",
                         { "spec": { "layers": [{ "count": 4, "kind": "full", "kv_heads": 4, "k_dim": 64, "v_dim": 64 }] } }, { "spec": {} }],
    "weights": { "bytes": [1_000_000, 2_000_000] }, "hardware": [{ "device": "rtx-5090" }], "context": [1, 300] }))]
#[case(json!({ "model": ["qwen3-8b", "gemma-3-27b"], "context": [1000, 70_000, 200_000], "sequences": [1, 3, 40],
    "engine": [{ "name": "llama.cpp" }, { "name": "vllm" }, { "name": "vllm", "max_model_len": 8192 }], "reserve": { "in_use_bytes": [0, 7_000_000_000u64] },
    "weights": { "format": "Q4_K_M" }, "hardware": [{ "device": "rtx-5090" }], "cache": { "k": ["f16", "q8_0"] } }))]
fn a_memo_changes_no_answer(#[case] line: Value) {
    let sweep = sweep(&line.to_string());
    let (mut memo, mut planned) = (Memo::of_many(), 0);
    // In order, and then in steps that meet none of the last points again.
    let (n, step) = (sweep.len(), 61);
    for (point, max_context) in (0..n).map(|i| (i, true)).chain((0..n).map(|i| (i * step % n, false))) {
        let detail = Detail { max_context };
        let (mut request, mut with, mut without) = (Vec::new(), Vec::new(), Vec::new());
        sweep.request_into(point, &mut request);
        memo.answer_into(&request, detail, &mut with);
        Memo::default().answer_into(&request, detail, &mut without);
        assert_eq!(with, without, "{}", String::from_utf8_lossy(&request));
        planned += u64::from(!with.starts_with(br#"{"error"#));
    }
    assert!(planned > n / 2, "{planned} of {} points planned", 2 * n);
}
