//! Speed inside a plan: published rates through the request line, and what a plan's places have to do with it.
#![cfg(test)]

use kvplan_core::plan::answer_line;
use rstest::rstest;
use serde_json::{Value, json};

fn ask(request: &Value) -> Value {
    let plan: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
    assert!(plan.get("error").is_none(), "{plan}");
    plan
}

fn decode(plan: &Value) -> f64 {
    plan["speed"]["decode_tokens_per_s"].as_f64().unwrap_or_else(|| panic!("no speed: {plan}"))
}

fn said(plan: &Value, part: &str) -> bool {
    plan["assumptions"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains(part))
}

/// Llama 3.1 8B on one RTX 4090, everything on it.
fn on_a_4090(context: u64) -> Value {
    json!({
        "model": "llama-3.1-8b", "engine": { "name": "llama.cpp", "flash_attn": "on" }, "context": context,
        "weights": { "format": "Q4_K_M" }, "hardware": [{ "device": "rtx-4090" }]
    })
}

/// Rows of `model-specs/sources/speed.csv.gz` (their sources stand there), asked as a user would. The figures were fitted
/// to these among others: this holds what a plan puts in to what the fit was given. Qwen3-Coder-30B-A3B has the shape of
/// Qwen3-30B-A3B.
#[rstest]
#[case("m2-ultra-192gb", "gpt-oss-120b", "MXFP4_MOE", 4_096, 1, 82.03)]
#[case("m2-ultra-192gb", "gpt-oss-120b", "MXFP4_MOE", 32_768, 1, 65.52)]
#[case("m2-ultra-192gb", "gpt-oss-120b", "MXFP4_MOE", 4_096, 4, 137.98)]
#[case("m2-ultra-192gb", "qwen3-30b-a3b", "Q8_0", 4_096, 1, 71.18)]
#[case("m2-ultra-192gb", "qwen3-30b-a3b", "Q8_0", 32_768, 1, 45.26)]
#[case("m2-ultra-192gb", "glm-4.7-flash", "Q8_0", 16_384, 1, 31.5)]
#[case("m2-ultra-192gb", "gemma-3-4b", "Q4_0", 4_096, 1, 133.11)]
fn a_published_rate_lies_in_the_stated_range(
    #[case] device: &str,
    #[case] model: &str,
    #[case] format: &str,
    #[case] context: u64,
    #[case] sequences: u64,
    #[case] measured: f64,
) {
    let plan = ask(&json!({
        "model": model, "engine": { "name": "llama.cpp", "flash_attn": "on" }, "context": context, "sequences": sequences,
        "weights": { "format": format }, "hardware": [{ "device": device }]
    }));
    let range = &plan["speed"]["decode_range"];
    let (low, high) = (range["p10"].as_f64().unwrap(), range["p90"].as_f64().unwrap());
    assert!(low <= measured && measured <= high, "{measured} is not in {}", plan["speed"]);
    assert_eq!(plan["speed"]["basis"], "derived");
    assert_eq!(plan["speed"]["device_measured"], true);
}

#[test]
fn a_deeper_context_is_slower_and_an_empty_one_is_not() {
    let (near, far) = (ask(&on_a_4090(4_096)), ask(&on_a_4090(65_536)));
    assert!(decode(&near) > 1.3 * decode(&far));
    assert_eq!(near["speed"]["decode_empty_tokens_per_s"], far["speed"]["decode_empty_tokens_per_s"]);
    assert!(decode(&near) < near["speed"]["decode_empty_tokens_per_s"].as_f64().unwrap());
    let prefill = |plan: &Value| plan["speed"]["prefill_tokens_per_s"].as_f64().unwrap();
    assert!(prefill(&near) > prefill(&far));
}

/// Reading 2 GB at 50 GB/s takes 40 ms however fast the GPU is.
#[test]
fn what_host_memory_holds_is_read_at_its_bandwidth() {
    let mut request = on_a_4090(4_096);
    let fast = decode(&ask(&request));
    request["engine"]["n_gpu_layers"] = json!(17);
    let blind = ask(&request);
    assert!(blind.get("speed").is_none() && said(&blind, "the bandwidth of CPU is not given"), "{blind}");
    request["hardware"] = json!([
        { "device": "rtx-4090" },
        { "device": "CPU", "memory_bytes": 64u64 << 30, "bandwidth_bytes_per_s": 50_000_000_000u64 }
    ]);
    let plan = ask(&request);
    let held = plan["devices"].as_array().unwrap().iter().find(|d| d["name"] == "CPU").unwrap();
    let embedding = 128_256.0 * 4096.0 / 256.0 * 144.0;
    let bytes = held["weights_bytes"].as_f64().unwrap() - embedding;
    assert!(bytes > 1.8e9, "{held}");
    // No faster than reading those bytes alone, and slower than all of it on the device.
    assert!(decode(&plan) < 50e9 / bytes && decode(&plan) < fast / 2.0, "{}", plan["speed"]);
}

/// 48 layers' experts, 29 of 30.5 billion parameters, are in host memory; a token reads a sixteenth of them.
#[test]
fn experts_in_host_memory_are_read_in_the_share_a_token_uses() {
    let ask_with = |moe: u64| {
        decode(&ask(&json!({
            "model": "qwen3-30b-a3b", "engine": { "name": "llama.cpp", "n_cpu_moe": moe }, "context": 4096,
            "weights": { "format": "Q4_K_M" },
            "hardware": [{ "device": "rtx-4090" }, { "device": "ddr5-5600-x2", "memory_bytes": 64u64 << 30 }]
        })))
    };
    let (none, all) = (ask_with(0), ask_with(48));
    // 18.6 GB × 29.0/30.5 / 16 at 89.6 GB/s: no more than 81 tokens a second, and no less than a third of it.
    assert!(all < 81.0 && all > 27.0 && none > 1.5 * all, "{none} {all}");
}

#[test]
fn replicas_multiply_and_ranks_share() {
    let ask_with = |placement: &Value, sequences: u64| {
        decode(&ask(&json!({
            "model": "llama-3.1-70b", "engine": { "name": "vllm" }, "context": 4096, "sequences": sequences,
            "weights": { "format": "fp8" }, "placement": placement,
            "hardware": [{ "device": "h100-sxm-80gb", "count": 8 }]
        })))
    };
    let four = ask_with(&json!({ "tp": 4 }), 4);
    let twice = ask_with(&json!({ "tp": 4, "dp": 2 }), 8);
    assert!((twice / four - 2.0).abs() < 0.01, "{four} {twice}");
    let eight = ask_with(&json!({ "tp": 8 }), 4);
    assert!(eight > four && eight < 2.0 * four, "{four} {eight}");
    let stages = ask_with(&json!({ "tp": 4, "pp": 2 }), 4);
    assert!(stages < eight, "{stages} {eight}");
}

#[test]
fn without_bandwidth_weights_or_hardware_nothing_is_said_of_speed() {
    let mut request = on_a_4090(4_096);
    request["hardware"] = json!([{ "device": "box", "memory_bytes": 32u64 << 30 }]);
    let plan = ask(&request);
    assert!(plan.get("speed").is_none() && said(&plan, "the bandwidth of box is not given"), "{plan}");
    request["hardware"][0]["bandwidth_bytes_per_s"] = json!(1_008_000_000_000u64);
    let plan = ask(&request);
    // Of its arithmetic nothing is known, so no prompt is estimated.
    assert!(decode(&plan) > 0.0 && plan["speed"].get("prefill_tokens_per_s").is_none(), "{plan}");
    assert_eq!(plan["speed"]["device_measured"], false);
    request.as_object_mut().unwrap().remove("weights");
    assert!(ask(&request).get("speed").is_none());
}

#[test]
fn the_ideal_engine_and_a_library_run_on_the_one_device_there_is() {
    for engine in ["payload", "transformers", "exllamav3"] {
        let mut request = on_a_4090(4_096);
        request["engine"] = json!({ "name": engine });
        if engine == "exllamav3" {
            request["engine"]["max_num_tokens"] = json!(4_096);
        }
        assert!(decode(&ask(&request)) > 50.0, "{engine}");
    }
}

/// 8.03 billion parameters in 4,920,739,232 bytes, said as a format or as a bare total.
#[test]
fn a_bare_total_is_as_fast_as_the_format_it_is_of() {
    let mut request = on_a_4090(16_384);
    let by_format = ask(&request);
    request["weights"] = json!({ "bytes": by_format["weights"]["bytes"] });
    let by_bytes = ask(&request);
    assert!((decode(&by_bytes) / decode(&by_format) - 1.0).abs() < 0.08, "{by_bytes} {by_format}");
}
