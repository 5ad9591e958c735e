//! Worked figures of the engines: LMCache's chunks, published SGLang start-up logs, and the per-token and per-slot bytes
//! that the engines' own documentation and code comments state.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its truth has failed")]

use flate2::read::GzDecoder;
use kvplan_core::codec::Codec;
use kvplan_core::engine::lmcache::{self, Chunk};
use kvplan_core::plan::answer_line;
use kvplan_core::spec::{ModelSpec, SpecFile};
use kvplan_core::unit::{Bytes, Tokens};
use rstest::rstest;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::Path;

fn rows(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/truth/engines").join(file);
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn kv(request: &Value) -> Value {
    let answer: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
    assert!(answer["error"].is_null(), "{request}: {}", answer["error"]);
    answer["kv"].clone()
}

fn error(request: &Value) -> Value {
    let answer: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
    answer["error"].clone()
}

fn full(count: u64, kv_heads: u64, dim: u64) -> Value {
    json!({ "count": count, "kind": "full", "kv_heads": kv_heads, "k_dim": dim, "v_dim": dim })
}

fn llama_3_1_8b() -> Value {
    json!({ "spec": { "layers": [full(32, 8, 128)] } })
}

#[test]
fn every_row_of_lmcache_has_its_shape_its_bytes_and_its_capacity() {
    let rows = rows("lmcache.jsonl.gz");
    assert_eq!(rows.len(), 23);
    for row in &rows {
        let (config, params, result) = (&row["config"], &row["params"], &row["result"]);
        let n = |v: &Value| v.as_u64().unwrap();
        assert_eq!(row["version"], lmcache::VERSION);
        let layer = if config["mla"] == true {
            json!({ "count": config["num_layers"], "kind": "mla", "latent_dim": n(&config["head_size"]) - 64, "rope_dim": 64 })
        } else {
            full(n(&config["num_layers"]), n(&config["num_kv_heads"]), n(&config["head_size"]))
        };
        let spec: SpecFile = serde_json::from_value(json!({ "layers": [layer] })).unwrap();
        let codec = match params["kv_dtype"].as_str().unwrap() {
            "torch.bfloat16" => Codec::Bf16,
            "torch.uint8" => Codec::Fp8E4m3,
            other => panic!("{other}"),
        };
        let model = ModelSpec::try_from(spec).unwrap();
        let chunk = Chunk::of(&model, 1, codec, n(&params["chunk_size"])).unwrap();
        assert_eq!(json!(chunk.shape()), result["chunk_shape"], "{row}");
        assert_eq!(chunk.bytes().unwrap().get(), n(&result["chunk_bytes"]), "{row}");
        assert_eq!(chunk.aligned().unwrap().get(), n(&result["chunk_bytes_aligned_4096"]), "{row}");
        let (chunks, tokens) = chunk.held(Bytes::new(5 << 30)).unwrap();
        assert_eq!(chunks, n(&result["chunks_in_5GiB"]), "{row}");
        assert_eq!(tokens, Tokens::new(n(&result["tokens_in_5GiB"])), "{row}");
    }
}

/// The model a log was printed for, as its publisher's config has it, and the type of its states where it has some.
fn of_log(id: &str) -> Option<Value> {
    let gdn = json!({ "kind": "gated_delta", "k_heads": 16, "k_dim": 128, "v_heads": 48, "v_dim": 128, "conv_kernel": 4 });
    Some(match id {
        "sglang-log/0261" => json!({ "layers": [full(94, 4, 128)] }),
        "sglang-log/0262" => json!({ "layers": [full(12, 12, 64)] }),
        "sglang-log/0263" => json!({ "layers": [full(28, 8, 128)] }),
        "sglang-log/0267" | "sglang-log/0268" => json!({ "layers": [full(24, 2, 64)] }),
        "sglang-log/0269" | "sglang-log/0270" => {
            json!({ "layers": [{ "count": 61, "kind": "mla", "latent_dim": 512, "rope_dim": 64 }] })
        }
        "sglang-log/0275" => {
            json!({ "state_dtype": "bf16", "layers": [{ "count": 16, "kind": "pattern", "layers": [gdn, gdn, gdn, full(1, 4, 256)] }] })
        }
        "sglang-log/0276" => {
            json!({ "layers": [full(6, 8, 64), { "count": 10, "kind": "short_conv", "width": 1536, "conv_kernel": 3 }] })
        }
        // sglang-log/0277 names no model: 8192 bytes of keys a token and rank have several makers.
        _ => return None,
    })
}

#[test]
fn published_sglang_logs_are_reproduced_from_what_they_print() {
    let gib = |bytes: u64| {
        let hundredths = (u128::from(bytes) * 100 + (1 << 29)) >> 30;
        u64::try_from(hundredths).unwrap()
    };
    let hundredths =
        |printed: &Value| (printed.as_f64().unwrap() * 100.0).round().to_string().parse::<u64>().unwrap();
    let mut reproduced = 0;
    for row in rows("logs.sglang.jsonl.gz") {
        let Some(spec) = of_log(row["id"].as_str().unwrap()) else { continue };
        let (params, result) = (&row["params"], &row["result"]);
        let tokens = result["kv_tokens"].as_u64().unwrap();
        let request = |sequences: u64, context: u64| {
            json!({
                "model": { "spec": spec }, "context": context, "sequences": sequences,
                "engine": { "name": "sglang", "tp_size": params["tp_size"], "page_size": params["page_size"],
                            "kv_cache_dtype": params["kv_cache_dtype"] },
            })
        };
        let plan = kv(&request(1, tokens));
        let role = |name: &str| plan["by_role"][name].as_u64().unwrap_or(0);
        assert_eq!(plan["engine_report"]["max_total_num_tokens"], tokens, "{row}");
        match result.get("kv_size_gib_logged") {
            Some(logged) => assert_eq!(gib(role("latent")), hundredths(logged), "{row}"),
            None => {
                assert_eq!(gib(role("k")), hundredths(&result["k_size_gib_logged"]), "{row}");
                assert_eq!(gib(role("v")), hundredths(&result["v_size_gib_logged"]), "{row}");
            }
        }
        // One running request holds three slots, and one more is padding.
        let slots = result["max_mamba_cache_size"].as_u64().unwrap_or(0) + 1;
        for (name, logged) in
            [("recurrent_state", "ssm_state_gib_logged"), ("conv_state", "conv_state_gib_logged")]
        {
            if let Some(logged) = result.get(logged) {
                assert_eq!(gib(role(name) / 4 * slots), hundredths(logged), "{row}");
            }
        }
        reproduced += 1;
    }
    assert_eq!(reproduced, 9);
}

#[rstest]
#[case(8, 69_632)]
#[case(6, 53_248)]
#[case(4, 36_864)]
#[case(2, 20_480)]
fn a_token_of_llama_3_1_8b_packed_by_exllamav3(#[case] bits: u64, #[case] bytes: u64) {
    let engine = json!({ "name": "exllamav3", "max_num_tokens": 8192, "k_bits": bits, "v_bits": bits });
    let kv = kv(&json!({ "model": llama_3_1_8b(), "engine": engine }));
    assert_eq!(kv["allocated_bytes"], 8192 * bytes);
    assert_eq!(kv["bytes_per_token"], bytes);
}

#[test]
fn a_latent_row_of_deepseek_packed_by_exllamav3_keeps_its_rotary_part_whole() {
    // cache/mla.py: fp16 1152 B; Q8 672 B; Q6 544 B; Q4 416 B.
    let model = json!({ "spec": { "layers": [{ "kind": "mla", "latent_dim": 512, "rope_dim": 64 }] } });
    for (bits, bytes) in [(8, 672), (6, 544), (4, 416)] {
        let engine = json!({ "name": "exllamav3", "max_num_tokens": 256, "k_bits": bits });
        assert_eq!(kv(&json!({ "model": model, "engine": engine }))["allocated_bytes"], 256 * bytes);
    }
}

#[test]
fn exllamav3_refuses_pools_that_are_no_whole_pages_and_bits_it_cannot_pack() {
    for (option, value) in [("max_num_tokens", 1000), ("k_bits", 9)] {
        let mut engine = json!({ "name": "exllamav3", "max_num_tokens": 8192 });
        engine[option] = json!(value);
        let error = error(&json!({ "model": llama_3_1_8b(), "engine": engine }));
        assert_eq!(
            (&error["kind"], &error["field"]),
            (&json!("engine-refuses"), &json!(format!("engine.{option}")))
        );
    }
}

#[test]
fn a_pool_larger_than_asked_for_is_free_and_not_wasted() {
    for engine in [
        json!({ "name": "exllamav3", "max_num_tokens": 8192 }),
        json!({ "name": "sglang", "kv_memory_bytes": 1u64 << 30 }),
        json!({ "name": "tensorrt-llm", "free_memory_bytes": 1u64 << 30 }),
    ] {
        let kv = kv(&json!({ "model": llama_3_1_8b(), "engine": engine, "context": 1024 }));
        let n = |name: &str| kv[name].as_u64().unwrap();
        assert_eq!(n("payload_bytes"), 1024 * 131_072, "{engine}");
        assert_eq!(
            n("allocated_bytes"),
            n("payload_bytes") + n("waste_bytes") + n("pool_free_bytes"),
            "{engine}"
        );
        assert!(n("waste_bytes") <= 131_072, "{engine}");
    }
}

#[test]
fn transformers_keeps_one_token_less_than_the_window_and_wastes_nothing() {
    let model = json!({ "spec": { "layers": [{ "kind": "window", "kv_heads": 8, "k_dim": 64, "v_dim": 64, "window": 128 }] } });
    let kv = kv(&json!({ "model": model, "engine": { "name": "transformers" }, "context": 1000 }));
    assert_eq!(kv["allocated_bytes"], 127 * 2048);
    assert_eq!(kv["payload_bytes"], 128 * 2048);
    assert_eq!(kv["waste_bytes"], 0);
}

#[test]
fn deepseek_v3_2_costs_788_bytes_a_layer_and_token_in_fp8_on_sglang_in_pages_of_64() {
    // memory_pool.py: 512 + 512/128·4 + 64·2 = 656, and an indexer key of 128 + 4.
    let layer = json!({ "count": 61, "kind": "mla", "latent_dim": 512, "rope_dim": 64, "indexer_dim": 128 });
    let engine =
        json!({ "name": "sglang", "kv_cache_dtype": "fp8_e4m3", "kv_memory_bytes": 32_212_254_720u64 });
    let report =
        kv(&json!({ "model": { "spec": { "layers": [layer] } }, "engine": engine }))["engine_report"].clone();
    let tokens = 32_212_254_720u64 / (61 * 788) / 64 * 64;
    assert_eq!(report["max_total_num_tokens"], tokens);
    assert_eq!(report["allocated_bytes"], (tokens + 64) * 61 * 788);
}

#[test]
fn a_draft_layer_on_sglang_has_a_pool_as_long_as_the_models() {
    // sglang-log/0275: 171,008 tokens, keys of 16 layers 5.22 GiB, of the draft 0.33 GiB.
    let model = json!({ "spec": { "layers": [full(16, 4, 256)], "mtp": [full(1, 4, 256)] } });
    let request =
        |mtp: u64| json!({ "model": model, "engine": { "name": "sglang" }, "context": 171_008, "mtp": mtp });
    let keys = |mtp: u64| kv(&request(mtp))["by_role"]["k"].as_u64().unwrap();
    assert_eq!(keys(1) - keys(0), 171_009 * 2048);
}

#[test]
fn gemma_3_keeps_every_token_in_every_layer_on_sglang() {
    let layers =
        json!([{ "count": 2, "kind": "window", "kv_heads": 4, "k_dim": 128, "v_dim": 128, "window": 1024 }]);
    let engine = json!({ "name": "sglang" });
    let request = |family: &str| json!({ "model": { "spec": { "family": family, "layers": layers } }, "engine": engine, "context": 8192 });
    let gemma = kv(&request("gemma3_text"));
    assert_eq!(gemma["allocated_bytes"], (8192 + 1) * 2 * 2048);
    assert!(gemma["engine_report"]["swa_tokens"].is_null());
    let unnamed = json!({ "model": { "spec": { "layers": layers } }, "engine": engine, "context": 8192 });
    assert_eq!(error(&unnamed)["field"], "engine.hybrid_swa");
}

#[test]
fn nvfp4_on_tensorrt_llm_takes_nine_sixteenths_of_a_byte_an_element() {
    let engine = json!({ "name": "tensorrt-llm", "dtype": "nvfp4", "free_memory_bytes": 1u64 << 36 });
    let report = kv(&json!({ "model": llama_3_1_8b(), "engine": engine }))["engine_report"].clone();
    assert_eq!(report["cache_bytes_per_token"], 32 * 2 * 8 * 128 * 9 / 16);
}

#[rstest]
#[case("transformers", "5.22.0")]
#[case("mlx", "0.32.1")]
#[case("exllamav3", "1.4.0")]
#[case("sglang", "0.5.22")]
#[case("tensorrt-llm", "1.2.0")]
fn another_version_is_unsupported(#[case] name: &str, #[case] version: &str) {
    let engine = json!({ "name": name, "version": version });
    let error = error(&json!({ "model": llama_3_1_8b(), "engine": engine, "context": 1024 }));
    assert_eq!((&error["kind"], &error["field"]), (&json!("unsupported"), &json!("engine.version")));
}

#[test]
fn every_catalogued_model_is_answered_consistently_or_refused_by_name() {
    let engines = [
        json!({ "name": "transformers" }),
        json!({ "name": "transformers", "cache": "static", "max_cache_len": 4096 }),
        json!({ "name": "transformers", "cache": "quantized" }),
        json!({ "name": "mlx" }),
        json!({ "name": "mlx", "cache": "quantized", "bits": 4 }),
        json!({ "name": "exllamav3" }),
        json!({ "name": "exllamav3", "max_num_tokens": 8192, "k_bits": 4 }),
        json!({ "name": "sglang" }),
        json!({ "name": "sglang", "kv_memory_bytes": 1u64 << 36, "tp_size": 2 }),
        json!({ "name": "tensorrt-llm" }),
        json!({ "name": "tensorrt-llm", "free_memory_bytes": 1u64 << 36, "dtype": "fp8" }),
    ];
    for model in kvplan_core::spec::catalog::all() {
        let id = model.unwrap().id();
        for engine in &engines {
            let request =
                json!({ "model": id, "engine": engine, "context": 3000, "sequences": 2, "explain": true });
            let answer: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
            if let Some(error) = answer.get("error") {
                let (kind, field) = (error["kind"].as_str().unwrap(), error["field"].as_str().unwrap());
                assert!(matches!(kind, "unsupported" | "engine-refuses"), "{id} on {engine}: {error}");
                assert!(
                    !field.is_empty() && !error["message"].as_str().unwrap().is_empty(),
                    "{id} on {engine}: {error}"
                );
                continue;
            }
            let kv = &answer["kv"];
            let n = |v: &Value| v.as_u64().unwrap_or(0);
            let used = n(&kv["allocated_bytes"]) - n(&kv["pool_free_bytes"]);
            assert_eq!(
                n(&kv["waste_bytes"]),
                used.saturating_sub(n(&kv["payload_bytes"])),
                "{id} on {engine}"
            );
            let parts =
                |field: &str| kv["stores"].as_array().unwrap().iter().map(|s| n(&s[field])).sum::<u64>();
            assert_eq!(parts("allocated_bytes"), n(&kv["allocated_bytes"]), "{id} on {engine}");
            assert_eq!(parts("payload_bytes"), n(&kv["payload_bytes"]), "{id} on {engine}");
            assert!(!answer["explain"].as_array().unwrap().is_empty(), "{id} on {engine}");
        }
    }
}
