//! Devices, ranks and the largest context, asked through the request line.
#![expect(clippy::unwrap_used, reason = "an answer that cannot be read has failed")]

use kvplan_core::plan::answer_line;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

fn ask(request: &Value) -> Value {
    serde_json::from_str(&answer_line(&request.to_string())).unwrap()
}

const GIB: u64 = 1 << 30;

#[test]
fn spare_is_what_the_driver_reports_less_everything_that_is_named() {
    // Qwen3.6-27B at 131,072 f16: 8 GiB of keys and values and 48 states of 3,268,608 bytes.
    let (weights, in_use, keep) = (16_647_000_000u64, 966_367_641u64, GIB);
    let plan = ask(&json!({
        "model": "qwen3.6-27b", "engine": { "name": "llama.cpp" }, "context": 131_072,
        "weights": { "bytes": weights }, "hardware": [{ "device": "rtx-5090" }],
        "reserve": { "in_use_bytes": in_use, "keep_free_bytes": keep, "compute_bytes": 0 },
    }));
    let cache = 8 * GIB + 48 * 3_268_608;
    let device = &plan["devices"][0];
    assert_eq!(device["name"], "rtx-5090");
    assert_eq!(device["capacity_bytes"], 32_607u64 << 20);
    assert_eq!(device["kv_bytes"], cache);
    let spare = (32_607u64 << 20) - weights - cache - in_use - keep;
    assert_eq!((&device["free_bytes"], &plan["fit"]["spare_bytes"]), (&json!(spare), &json!(spare)));
    assert_eq!(plan["fit"]["state"], "fits");
}

#[test]
fn one_byte_decides_between_fits_and_over() {
    let request = |memory: u64| {
        json!({ "model": "qwen3-8b", "engine": { "name": "llama.cpp" }, "context": 4096,
                "hardware": [{ "device": "bench", "memory_bytes": memory }], "reserve": { "compute_bytes": 0 } })
    };
    // 36 layers × 8 heads × 128 × 2 × 2 bytes × 4096 cells.
    let cache = 36 * 8 * 128 * 2 * 2 * 4096;
    assert_eq!(ask(&request(cache))["fit"]["state"], "fits");
    assert_eq!(ask(&request(cache))["fit"]["max_context"], 4096);
    let over = ask(&request(cache - 1));
    assert_eq!((&over["fit"]["state"], &over["fit"]["spare_bytes"]), (&json!("over"), &json!(-1)));
    assert_eq!(over["fit"]["max_context"], 4096 - 256);
    assert_eq!(over["fit"]["bound_by"], "memory");
}

#[test]
fn an_assumed_capacity_makes_a_tight_fit_a_bare_one() {
    // This card's usable memory was not reported: 0.5 % of 16 GiB is assumed to be the driver's, and may be that again.
    let usable = 16 * GIB / 200 * 199;
    let state = |weights: u64| {
        let plan = ask(&json!({ "model": "qwen3-8b", "context": 0, "weights": { "bytes": weights },
                                "hardware": [{ "device": "rtx-4060-ti-16gb" }] }));
        plan["fit"]["state"].clone()
    };
    assert_eq!(state(usable - 16 * GIB / 200 - 200), "fits");
    assert_eq!(state(usable - 1000), "barely");
    assert_eq!(state(usable + 1000), "over");
}

#[test]
fn the_fullest_place_is_named_and_never_memory_that_holds_nothing() {
    let plan = ask(&json!({ "model": "qwen3-8b", "context": 4096, "weights": { "bytes": 40 * GIB },
        "hardware": [{ "device": "bench", "memory_bytes": 100 * GIB }, { "device": "cpu", "memory_bytes": 16 * GIB }] }));
    // 36 layers × 8 heads × 128 × 2 × 2 bytes × 4096 tokens.
    let spare = 60 * GIB - 36 * 8 * 128 * 2 * 2 * 4096;
    assert_eq!((&plan["fit"]["device"], &plan["fit"]["spare_bytes"]), (&json!("bench"), &json!(spare)));
}

#[test]
fn a_place_that_may_not_fit_is_named_before_one_that_surely_does() {
    // 82 MiB of this card's memory are assumed: a spare of 1,000,000 bytes there is less sure than 1,000 of empty RAM.
    let usable = 16 * GIB / 200 * 199;
    let plan = ask(&json!({ "model": "qwen3-8b", "context": 0, "weights": { "bytes": usable - 1_000_000 },
        "hardware": [{ "device": "rtx-4060-ti-16gb" }, { "device": "cpu", "memory_bytes": 1000 }] }));
    assert_eq!(
        (&plan["fit"]["state"], &plan["fit"]["device"]),
        (&json!("barely"), &json!("rtx-4060-ti-16gb"))
    );
}

#[test]
fn without_hardware_the_state_is_unknown_and_nothing_else_is_said() {
    let plan = ask(&json!({ "model": "qwen3-8b", "context": 4096 }));
    assert_eq!(plan["fit"], json!({ "state": "unknown" }));
    assert!(plan.get("devices").is_none());
}

#[test]
fn the_models_own_limit_is_named_when_it_binds() {
    let plan = ask(&json!({ "model": "qwen3-8b", "context": 4096, "engine": { "name": "llama.cpp" },
                            "hardware": [{ "device": "h100-sxm-80gb" }] }));
    assert_eq!((&plan["fit"]["max_context"], &plan["fit"]["bound_by"]), (&json!(40_960), &json!("model")));
}

/// What one rank of vLLM 0.33.0 needs is the ideal engine's rank at the same split: vLLM's own figures are held to
/// recorded ones elsewhere.
#[rstest]
#[case("qwen3-8b", 2, 1)]
#[case("qwen3-8b", 16, 1)]
#[case("deepseek-v3", 8, 1)]
#[case("deepseek-v3", 8, 8)]
#[case("qwen3.6-27b", 4, 1)]
#[case("nemotron-nano-9b-v2", 4, 1)]
#[case("jamba-v0.1", 8, 1)]
#[case("gemma-3-27b", 8, 1)]
fn a_rank_keeps_what_a_rank_of_vllm_needs(#[case] model: &str, #[case] tp: u64, #[case] dcp: u64) {
    let hardware = json!([{ "device": "h200-sxm-141gb", "count": tp }]);
    let placement = json!({ "tp": tp, "dcp": dcp });
    let ours = ask(&json!({ "model": model, "context": 16384, "hardware": hardware, "placement": placement,
                            "cache": { "kv": "bf16" } }));
    let theirs =
        ask(&json!({ "model": model, "context": 16384, "hardware": hardware, "placement": placement,
                              "engine": { "name": "vllm" } }));
    let by_role = |plan: &Value| -> u64 {
        let stores = plan["kv"]["stores"].as_array().unwrap_or_else(|| panic!("{plan}"));
        stores.iter().map(|s| s["payload_bytes"].as_u64().unwrap()).sum()
    };
    // States: vLLM's types are the model's; the ideal engine's are f32 and bf16. Compared where there are none.
    let stateless = theirs["kv"]["by_role"].get("recurrent_state").is_none();
    let rank = ours["devices"][0]["kv_bytes"].as_u64().unwrap();
    assert_eq!(ours["devices"].as_array().unwrap().len() as u64, tp);
    if stateless {
        assert_eq!(rank, by_role(&theirs), "{model}");
    } else {
        let whole = by_role(&ours);
        assert!(rank >= whole / tp && rank < whole, "{model}: {rank} of {whole}");
    }
}

#[test]
fn more_ranks_than_devices_and_axes_an_engine_does_not_have_are_refused() {
    let base = |engine: &str, placement: Value| {
        ask(&json!({ "model": "qwen3-8b", "context": 4096, "engine": { "name": engine },
                     "placement": placement, "hardware": [{ "device": "h200-sxm-141gb", "count": 2 }] }))
    };
    assert_eq!(base("vllm", json!({ "tp": 4 }))["error"]["field"], "placement");
    assert_eq!(base("llama.cpp", json!({ "tp": 2 }))["error"]["kind"], "unsupported");
    let three = ask(&json!({ "model": "qwen3-8b", "context": 4096, "placement": { "tp": 3 } }));
    assert_eq!(three["error"]["field"], "placement.tp");
    assert_eq!(base("payload", json!({ "tp": 0 }))["error"]["field"], "placement.tp");
}

#[test]
fn a_pipeline_keeps_every_layer_once_and_replicas_share_the_sequences() {
    let plan = ask(&json!({ "model": "qwen3-8b", "context": 4096, "sequences": 5,
        "placement": { "pp": 3, "dp": 2 }, "hardware": [{ "device": "b", "memory_bytes": 64 * GIB, "count": 6 }] }));
    let one = plan["kv"]["payload_bytes"].as_u64().unwrap() / 5;
    let kv: Vec<u64> =
        plan["devices"].as_array().unwrap().iter().map(|d| d["kv_bytes"].as_u64().unwrap()).collect();
    assert_eq!(kv.iter().take(3).sum::<u64>(), 3 * one, "{kv:?}");
    assert_eq!(kv[..3], kv[3..]);
}

/// A small model whose every length can be tried.
fn spec(kv_heads: u64, window: u64, trained: u64) -> Value {
    json!({ "spec": { "name": "small", "trained_context": trained, "layers": [
        { "count": 3, "kind": "full", "kv_heads": kv_heads, "k_dim": 64, "v_dim": 64 },
        { "count": 2, "kind": "window", "kv_heads": kv_heads, "k_dim": 64, "v_dim": 64, "window": window },
    ]}})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Every shorter length fits, the answer fits, and one more token does not.
    #[test]
    fn the_largest_context_is_the_one_that_trying_every_length_finds(
        engine in prop::sample::select(vec!["payload", "llama.cpp", "vllm", "exllamav3", "transformers", "mlx", "sglang"]),
        heads in 1u64..4, window in 1u64..400, sequences in 1u64..4,
        memory in 1u64..6_000_000, devices in 1u64..3,
    ) {
        let trained = 700u64;
        let plan = |context: u64| ask(&json!({
            "model": spec(heads, window, trained), "engine": { "name": engine }, "context": context,
            "sequences": sequences, "hardware": [{ "device": "d", "memory_bytes": memory, "count": devices }],
        }));
        let first = plan(1);
        prop_assume!(first.get("error").is_none());
        let fit = &first["fit"];
        let answer = fit["max_context"].as_u64().unwrap();
        let holds = |context: u64| {
            let plan = plan(context);
            plan.get("error").is_none() && plan["fit"]["state"] != "over"
        };
        let mut longest = 0;
        while longest < trained && holds(longest + 1) {
            longest += 1;
        }
        prop_assert_eq!(answer, longest, "{} {}", engine, fit);
        prop_assert_eq!(fit["bound_by"] == "model", longest == trained);
    }
}

/// llama.cpp's CUDA kernels for prompts read f16: one layer's whole cache, 131,072 cells × (1024 + 1024) × 2 B for
/// Llama 3.1 8B, is converted first where it is stored otherwise.
#[test]
fn an_nvidia_gpu_holds_an_f16_copy_of_a_layer_of_a_quantized_cache() {
    let graph = |device: &str, cache: Value, more: (&str, Value)| {
        let mut request = json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp" }, "context": 131_072,
                                  "weights": { "format": "Q4_K_M" }, "hardware": [{ "device": device }], "cache": cache });
        request["engine"][more.0] = more.1;
        let plan = ask(&request);
        let line = &plan["compute"]["lines"][0];
        assert_eq!(line["name"], "graph buffers", "{plan:#}");
        (line["bytes"].as_u64().unwrap(), line["doubt_bytes"].as_u64().unwrap())
    };
    let plain = ("n_batch", json!(2048));
    let of = |device, cache| graph(device, cache, plain.clone());
    let (f16, q8) = (of("rtx-4090", json!({ "kv": "f16" })), of("rtx-4090", json!({ "kv": "q8_0" })));
    let (copy, mask) = (131_072 * 2048 * 2, 131_072 * 512 * 2);
    // Host memory holds a mask of its own.
    assert!(q8.0 > copy + 2 * mask && q8.0 < copy + 2 * mask + (64 << 20), "{q8:?}");
    // It was read and not seen: without it is inside the doubt.
    assert!(q8.0 - q8.1 <= f16.0, "{q8:?} {f16:?}");
    // Of one side alone half of it.
    let keys = of("rtx-4090", json!({ "k": "q8_0", "v": "f16" }));
    assert_eq!(q8.0 - keys.0, copy / 2);
    // Another vendor's kernels are others, and without flash attention nothing is converted so.
    let (amd, plain) =
        (of("rx-7900-xtx", json!({ "kv": "q8_0" })), of("rx-7900-xtx", json!({ "kv": "f16" })));
    assert_eq!(amd, plain);
    let off = |cache| graph("rtx-4090", cache, ("flash_attn", json!("off")));
    assert_eq!(off(json!({ "k": "q8_0", "v": "f16" })), off(json!({ "kv": "f16" })));
}
