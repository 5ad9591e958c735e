//! The figures that the planner draws are those that `kvplan batch` answers, for random states.
#![expect(clippy::unwrap_used, reason = "a test that cannot make its input has failed")]

use kvplan::bench::Drawn;
use kvplan_core::planner::view::words;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// States that are compared.
const STATES: usize = 150;

/// What a person may have set: any machine, engine, model and weights, sensible or not.
fn requests() -> impl Strategy<Value = Value> {
    let model = proptest::sample::select(vec![
        "qwen3.6-27b",
        "qwen3-8b",
        "gemma-3-12b",
        "gpt-oss-20b",
        "gpt-oss-120b",
        "deepseek-v3.1",
        "deepseek-v4-flash",
        "llama-3.1-70b",
        "qwen3-30b-a3b",
    ]);
    const GGUF: &[&str] = &["f16", "q8_0", "q4_0"];
    const SERVED: &[&str] = &["bf16", "fp8_e4m3"];
    // Each with cache types and weights that it takes, and one that not all of them do.
    let engine = proptest::sample::select(vec![
        (json!({ "name": "llama.cpp" }), GGUF, "Q4_K_M"),
        (json!({ "name": "llama.cpp", "kv_unified": true, "n_ubatch": 1024 }), GGUF, "Q8_0"),
        (json!({ "name": "llama.cpp", "n_cpu_moe": 8, "flash_attn": "off" }), GGUF, "fp8"),
        (json!({ "name": "vllm" }), SERVED, "fp8"),
        (json!({ "name": "vllm", "kv_cache_memory_bytes": 20_000_000_000_u64 }), SERVED, "bf16"),
        (json!({ "name": "sglang" }), SERVED, "bf16"),
        (json!({ "name": "payload" }), GGUF, "bf16"),
    ]);
    let hardware = proptest::sample::select(vec![
        (json!([]), 1),
        (json!([{ "device": "rtx-5090" }]), 1),
        (
            json!([{ "device": "rtx-4090", "count": 2 }, { "device": "cpu", "memory_bytes": 68_719_476_736_u64 }]),
            2,
        ),
        (json!([{ "device": "h200-sxm-141gb", "count": 8 }]), 8),
        (json!([{ "device": "my card", "memory_bytes": 48_000_000_000_u64 }]), 1),
    ]);
    let weights =
        proptest::sample::select(vec![None, Some(json!({ "bytes": 12_345_678_901_u64 })), Some(Value::Null)]);
    let codec = any::<proptest::sample::Index>();
    let reserve = proptest::sample::select(vec![(0u64, 0u64), (900_000_000, 0), (900_000_000, 1 << 30)]);
    let scenario = (500..400_000u64, 1..40u64);
    (model, engine, hardware, weights, codec, reserve, scenario).prop_map(
        |(model, (engine, codecs, format), (hardware, devices), weights, codec, (in_use, keep_free), (context, sequences))| {
            let served = matches!(engine["name"].as_str(), Some("vllm" | "sglang"));
            let tp = if served { devices } else { 1 };
            let codec = codec.get(codecs);
            let mut asked = json!({ "model": model, "engine": engine, "hardware": hardware, "context": context,
                "sequences": sequences, "cache": { "kv": codec }, "placement": { "tp": tp },
                "reserve": { "in_use_bytes": in_use, "keep_free_bytes": keep_free } });
            match weights {
                None => {}
                Some(Value::Null) => asked["weights"] = json!({ "format": format }),
                Some(bytes) => asked["weights"] = bytes,
            }
            asked
        },
    )
}

/// The answers of the program itself, one line a request.
fn answers(asked: &[Value]) -> Vec<Value> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_kvplan"))
        .arg("batch")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = asked.iter().map(|request| format!("{request}\n")).collect();
    let mut input = program.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = program.wait_with_output().unwrap();
    writer.join().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// `8,589,934,592`.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Every figure of the answer that the screen names, as it is written with all its digits.
fn figures(answer: &Value) -> Vec<String> {
    let mut found = vec![format!("cache = {} B", grouped(answer["kv"]["allocated_bytes"].as_u64().unwrap()))];
    let fit = &answer["fit"];
    // Of an engine that fills its devices it is said how many conversations they hold, not what is to spare.
    let held = answer["serving"]["full"]["conversations"].as_u64();
    match fit["spare_bytes"].as_i64() {
        Some(spare) if held.is_none() || spare < 0 => {
            found.push(format!("{} B", grouped(spare.unsigned_abs())))
        }
        Some(_) => found
            .push(format!("of {} tokens", grouped(answer["serving"]["full"]["context"].as_u64().unwrap()))),
        None => {}
    }
    for device in answer["devices"].as_array().into_iter().flatten().take(2) {
        found.push(words::device(device["name"].as_str().unwrap()));
        for (label, field) in
            [("weights", "weights_bytes"), ("compute", "compute_bytes"), ("in use", "in_use_bytes")]
        {
            if let Some(bytes) = device[field].as_u64().filter(|bytes| *bytes > 0) {
                found.push(format!("{label} {}", grouped(bytes)));
            }
        }
        if let Some(capacity) = device["capacity_bytes"].as_u64() {
            found.push(grouped(capacity));
        }
    }
    found
}

#[test]
fn the_figures_on_the_screen_are_those_of_the_program() {
    let mut runner = TestRunner::deterministic();
    let asked: Vec<Value> =
        (0..STATES).map(|_| requests().new_tree(&mut runner).unwrap().current()).collect();
    let answers = answers(&asked);
    assert_eq!(answers.len(), STATES);
    let (mut planned, mut refused) = (0, 0);
    for (asked, answer) in asked.iter().zip(&answers) {
        let drawn = Drawn::of(asked, 320, 80).unwrap();
        match answer["error"]["message"].as_str() {
            Some(message) => {
                let start: String = message.chars().take(60).collect();
                assert!(drawn.contains(&start), "{asked}\n{start}\n{drawn}");
                refused += 1;
            }
            None => {
                for figure in figures(answer) {
                    assert!(drawn.contains(&figure), "{asked}\n`{figure}` is not in\n{drawn}");
                }
                planned += 1;
            }
        }
    }
    assert!(planned >= 100 && refused > 0, "{planned} plans, {refused} refusals: not the states meant");
}
