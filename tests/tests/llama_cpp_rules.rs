//! llama.cpp's rules beyond the recorded cases, each against a figure that its source or its logs give.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its answer has failed")]

use kvplan_core::plan::answer_line;
use rstest::rstest;
use serde_json::{Map, Value, json};

/// A GGUF of `arch` with `layers` layers of 8 heads of 64, changed by `keys` (prefixed; null removes).
fn gguf(arch: &str, layers: u64, keys: &Value) -> Value {
    let mut map = Map::from_iter([("general.architecture".to_owned(), json!(arch))]);
    for (key, value) in [
        ("block_count", json!(layers)),
        ("context_length", json!(131_072)),
        ("embedding_length", json!(512)),
        ("vocab_size", json!(1000)),
        ("attention.head_count", json!(8)),
    ] {
        map.insert(format!("{arch}.{key}"), value);
    }
    for (key, value) in keys.as_object().unwrap() {
        if value.is_null() {
            map.remove(&format!("{arch}.{key}"));
        } else {
            map.insert(format!("{arch}.{key}"), value.clone());
        }
    }
    json!({ "gguf": map })
}

fn ask(model: Value, engine: Value) -> Value {
    let mut engine = engine;
    engine["name"] = json!("llama.cpp");
    answer(&json!({ "model": model, "engine": engine }))
}

fn answer(request: &Value) -> Value {
    serde_json::from_str(&answer_line(&request.to_string())).unwrap()
}

fn caches(plan: &Value) -> Vec<(String, u64, u64, u64, u64)> {
    assert!(plan["error"].is_null(), "{}", plan["error"]);
    let list = plan["kv"]["engine_report"]["caches"].as_array().unwrap().iter();
    let n = |cache: &Value, key: &str| cache[key].as_u64().unwrap();
    list.map(|c| {
        (
            c["name"].as_str().unwrap().to_owned(),
            n(c, "cells"),
            n(c, "layers"),
            n(c, "k_bytes"),
            n(c, "v_bytes"),
        )
    })
    .collect()
}

/// Layers of the base and the windowed cache.
fn split(plan: &Value) -> (u64, u64) {
    match caches(plan).as_slice() {
        [kv] if kv.0 == "kv" => (kv.2, 0),
        [base, swa] if (base.0.as_str(), swa.0.as_str()) == ("base", "swa") => (base.2, swa.2),
        other => panic!("{other:?}"),
    }
}

fn refused(plan: &Value) -> (&str, &str, &str) {
    let error = &plan["error"];
    (error["kind"].as_str().unwrap(), error["field"].as_str().unwrap(), error["message"].as_str().unwrap())
}

#[test]
fn five_thousand_cells_for_three_sequences_round_up_to_5376() {
    let plan = ask(gguf("llama", 2, &json!({})), json!({ "n_ctx": 5000, "n_seq_max": 3 }));
    let report = &plan["kv"]["engine_report"];
    assert_eq!((&report["n_ctx"], &report["n_ctx_seq"]), (&json!(5376), &json!(1792)));
}

#[test]
fn a_batch_is_clipped_before_the_context_is_padded() {
    let plan = ask(gguf("llama", 2, &json!({})), json!({ "n_ctx": 100 }));
    let report = &plan["kv"]["engine_report"];
    assert_eq!((&report["n_ubatch"], &report["n_ctx"]), (&json!(100), &json!(256)));
}

#[rstest]
// gpt-oss, window 128: one sequence, four in one buffer, four streams.
#[case("gpt-oss", 128, 1, false, 768)]
#[case("gpt-oss", 128, 4, true, 1024)]
#[case("gpt-oss", 128, 4, false, 768)]
// Gemma 3, window 1024: llama-server's four unified slots cost three times the cells.
#[case("gemma3", 1024, 1, false, 1536)]
#[case("gemma3", 1024, 4, true, 4608)]
fn windowed_cells_count_the_sequences_of_a_stream(
    #[case] arch: &str,
    #[case] window: u64,
    #[case] n_seq_max: u64,
    #[case] kv_unified: bool,
    #[case] cells: u64,
) {
    let model = gguf(arch, 24, &json!({ "attention.sliding_window": window }));
    let plan = ask(model, json!({ "n_ctx": 32768, "n_seq_max": n_seq_max, "kv_unified": kv_unified }));
    assert_eq!(caches(&plan)[1].1, cells);
}

#[rstest]
#[case::gemma2_windows_by_default("gemma2", 42, json!({}), (21, 21))]
#[case::gemma3_without_the_key_has_none("gemma3", 26, json!({}), (26, 0))]
#[case::gemma3_one_of_six_is_dense("gemma3", 26, json!({ "attention.sliding_window": 512 }), (4, 22))]
#[case::a_scalar_replaces_the_period("gemma3", 24, json!({ "attention.sliding_window": 512, "attention.sliding_window_pattern": 2 }), (12, 12))]
#[case::a_period_of_one_is_dense("gemma3", 24, json!({ "attention.sliding_window": 512, "attention.sliding_window_pattern": 1 }), (24, 0))]
#[case::a_period_of_zero_is_windowed("gemma3", 24, json!({ "attention.sliding_window": 512, "attention.sliding_window_pattern": 0 }), (0, 24))]
#[case::layers_past_the_array_are_dense("gemma3", 4, json!({ "attention.sliding_window": 512, "attention.sliding_window_pattern": [true, true] }), (2, 2))]
#[case::gpt_oss("gpt-oss", 24, json!({ "attention.sliding_window": 128 }), (12, 12))]
#[case::cohere2("cohere2", 32, json!({ "attention.sliding_window": 4096 }), (8, 24))]
#[case::cohere2moe("cohere2moe", 33, json!({ "attention.sliding_window": 4096 }), (9, 24))]
#[case::olmo2_is_dense_and_olmo3_is_not("olmo2", 32, json!({}), (32, 0))]
#[case::olmo3("olmo2", 32, json!({ "attention.sliding_window": 4096 }), (8, 24))]
#[case::afmoe("afmoe", 32, json!({ "attention.sliding_window": 2048 }), (8, 24))]
#[case::mellum("mellum", 8, json!({ "attention.sliding_window": 2048 }), (2, 6))]
#[case::llama4_has_chunks_without_the_key("llama4", 48, json!({}), (12, 36))]
#[case::llama4_with_a_window_of_zero_has_none("llama4", 48, json!({ "attention.sliding_window": 0 }), (48, 0))]
#[case::exaone4_32b("exaone4", 64, json!({}), (16, 48))]
#[case::exaone4_of_another_size("exaone4", 30, json!({ "attention.sliding_window": 4096 }), (30, 0))]
#[case::exaone_moe("exaone-moe", 48, json!({ "attention.sliding_window": 128 }), (12, 36))]
#[case::smallthinker_opens_with_the_dense_layer("smallthinker", 33, json!({ "attention.sliding_window": 1 }), (9, 24))]
#[case::smallthinker_without_the_key("smallthinker", 32, json!({}), (32, 0))]
#[case::plamo3("plamo3", 32, json!({ "attention.sliding_window": 2048 }), (4, 28))]
#[case::laguna("laguna", 9, json!({ "attention.sliding_window": 2048 }), (3, 6))]
#[case::muse_glimmer("muse-glimmer", 8, json!({ "attention.sliding_window": 2048 }), (2, 6))]
#[case::phi3_ignores_its_window("phi3", 32, json!({ "attention.sliding_window": 2047 }), (32, 0))]
#[case::mistral_7b_ignores_its_window("llama", 32, json!({ "attention.sliding_window": 4096 }), (32, 0))]
#[case::starcoder2_ignores_its_window("starcoder2", 32, json!({ "attention.sliding_window": 4096 }), (32, 0))]
#[case::prediction_layers_are_not_in_the_cache("glm4moe", 47, json!({ "nextn_predict_layers": 1 }), (46, 0))]
#[case::loops_have_caches_of_their_own("nanbeige", 10, json!({ "num_loops": 3 }), (30, 0))]
#[case::a_router_is_one_layer_more("graniteswitch", 10, json!({}), (11, 0))]
fn layers_are_windowed_as_the_architecture_says(
    #[case] arch: &str,
    #[case] layers: u64,
    #[case] keys: Value,
    #[case] expect: (u64, u64),
) {
    assert_eq!(split(&ask(gguf(arch, layers, &keys), json!({ "n_ctx": 4096 }))), expect);
}

#[test]
fn llama4_chunks_are_8192_tokens() {
    let plan = ask(gguf("llama4", 4, &json!({})), json!({ "n_ctx": 65536 }));
    assert_eq!(caches(&plan)[1].1, 8192 + 512);
    assert_eq!(plan["kv"]["stores"][0]["entries"], 8192);
}

#[test]
fn smallthinker_forces_its_window() {
    let plan =
        ask(gguf("smallthinker", 4, &json!({ "attention.sliding_window": 1 })), json!({ "n_ctx": 65536 }));
    assert_eq!(caches(&plan)[1].1, 4096 + 512);
}

#[test]
fn openelm_270m_without_flash_attention_widens_every_value() {
    let heads = [3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5, 5, 5, 5];
    let model = gguf(
        "openelm",
        16,
        &json!({
            "embedding_length": 1280,
            "attention.head_count": [12, 12, 12, 12, 12, 16, 16, 16, 16, 16, 16, 16, 20, 20, 20, 20],
            "attention.head_count_kv": heads,
            "attention.key_length": 64,
            "attention.value_length": 64,
        }),
    );
    let on = caches(&ask(model.clone(), json!({ "n_ctx": 4096, "flash_attn": "on" })));
    let off = caches(&ask(model, json!({ "n_ctx": 4096, "flash_attn": "off" })));
    assert_eq!(
        [(on[0].3, on[0].4), (off[0].3, off[0].4)],
        [(33_030_144, 33_030_144), (33_030_144, 41_943_040)]
    );
}

/// DeepSeek-V3.2's row: 512 + 64, an indexer key of 128, 61 layers and one for prediction.
fn deepseek(arch: &str, keys: &Value) -> Value {
    let mut all = json!({
        "nextn_predict_layers": 1,
        "attention.head_count": 128,
        "attention.head_count_kv": 1,
        "attention.key_length": 576,
        "attention.value_length": 512,
        "attention.key_length_mla": 192,
        "attention.value_length_mla": 128,
        "attention.kv_lora_rank": 512,
        "attention.indexer.key_length": 128,
    });
    all.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    gguf(arch, 62, &all)
}

#[test]
fn deepseek_v3_2_keeps_latent_rows_and_indexer_keys() {
    let plan = ask(deepseek("deepseek32", &json!({})), json!({ "n_ctx": 4096 }));
    assert_eq!(
        caches(&plan),
        [("main".to_owned(), 4096, 61, 287_834_112, 0), ("indexer".to_owned(), 4096, 61, 63_963_136, 0)]
    );
    assert_eq!(plan["kv"]["by_role"], json!({ "latent": 287_834_112, "indexer": 63_963_136 }));
}

#[test]
fn glm_dsa_keeps_indexer_keys_where_its_types_are_one() {
    let types: Vec<u64> = (0..62).map(|layer| u64::from(layer % 4 == 0)).collect();
    let model = deepseek("glm-dsa", &json!({ "attention.indexer.types": types }));
    assert_eq!(caches(&ask(model, json!({ "n_ctx": 4096 })))[1].2, 16);
}

#[test]
fn an_old_deepseek_file_is_plain_multi_head() {
    let model = deepseek(
        "deepseek2",
        &json!({
            "attention.head_count_kv": 16, "attention.key_length": 192, "attention.value_length": 128,
            "attention.key_length_mla": null, "attention.value_length_mla": null,
        }),
    );
    let plan = ask(model, json!({ "n_ctx": 256, "type_k": "q8_0", "type_v": "f16" }));
    assert_eq!(caches(&plan)[0].3, 61 * 256 * (16 * 192 / 32 * 34));
    assert_eq!(caches(&plan)[0].4, 61 * 256 * 16 * 128 * 2);
}

#[test]
fn a_drafting_context_holds_the_prediction_layers_alone() {
    let plan = ask(
        gguf("glm4moe", 47, &json!({ "nextn_predict_layers": 1 })),
        json!({ "n_ctx": 4096, "ctx_type": "mtp" }),
    );
    assert_eq!(caches(&plan), [("kv".to_owned(), 4096, 1, 4_194_304, 4_194_304)]);
    assert_eq!(plan["kv"]["bytes_per_token"], 2048);
    let none = ask(gguf("llama", 2, &json!({})), json!({ "n_ctx": 4096, "ctx_type": "mtp" }));
    assert_eq!(refused(&none).1, "engine.ctx_type");
}

#[test]
fn gemma3n_has_20_caches_whatever_the_file_shares() {
    for shared in [0, 10, 15] {
        let model = gguf(
            "gemma3n",
            35,
            &json!({
                "attention.sliding_window": 512, "attention.shared_kv_layers": shared,
            }),
        );
        assert_eq!(split(&ask(model, json!({ "n_ctx": 4096 }))), (4, 16));
    }
}

#[test]
fn gemma4_aborts_where_the_layer_it_would_reuse_is_in_the_other_cache() {
    let pattern = |dense: [usize; 2]| -> Vec<bool> { (0..10).map(|layer| !dense.contains(&layer)).collect() };
    let model = |dense| {
        gguf(
            "gemma4",
            10,
            &json!({
                "attention.sliding_window": 128, "attention.shared_kv_layers": 4,
                "attention.sliding_window_pattern": pattern(dense),
            }),
        )
    };
    // Owners end with (dense, windowed): windowed sharers reuse the dense one.
    let aborted = ask(model([4, 9]), json!({ "n_ctx": 512 }));
    assert_eq!(refused(&aborted).0, "engine-refuses");
    assert!(refused(&aborted).2.contains("map_layer_ids.find(il_reuse)"));
    // Owners end with (windowed, dense): everything finds its like.
    assert_eq!(split(&ask(model([5, 9]), json!({ "n_ctx": 512 }))), (1, 5));
}

#[test]
fn a_shift_count_of_one_halves_the_shifted_tokens() {
    let keys = |shifts: Value| {
        json!({
            "attention.head_count": 0, "wkv.head_size": 64, "token_shift_count": shifts,
        })
    };
    let r = |shifts| {
        ask(gguf("arwkv7", 4, &keys(shifts)), json!({ "n_ctx": 512 }))["kv"]["engine_report"]["recurrent"]["n_embd_r"].clone()
    };
    assert_eq!((r(Value::Null), r(json!(1))), (json!(1024), json!(512)));
}

#[test]
fn rows_of_states_are_sequences_times_snapshots_where_the_architecture_rolls_back() {
    let keys = json!({ "attention.head_count_kv": [0, 2], "shortconv.l_cache": 3 });
    let bytes = |arch| {
        ask(gguf(arch, 2, &keys), json!({ "n_ctx": 4096, "n_seq_max": 4, "n_rs_seq": 4 }))["kv"]["by_role"]["conv_state"].clone()
    };
    assert_eq!(bytes("lfm2"), 2 * 512 * 4 * 4 * 5);
}

#[test]
fn nemotron_h_has_layers_that_keep_nothing() {
    let model = gguf(
        "nemotron_h",
        4,
        &json!({
            "attention.head_count_kv": [0, 0, 2, 0], "feed_forward_length": [0, 2048, 0, 0],
            "ssm.conv_kernel": 4, "ssm.inner_size": 1024, "ssm.state_size": 128, "ssm.group_count": 8,
            "ssm.time_step_rank": 16,
        }),
    );
    let plan = ask(model, json!({ "n_ctx": 4096 }));
    assert_eq!(split(&plan), (1, 0));
    let recurrent = &plan["kv"]["engine_report"]["recurrent"];
    assert_eq!((&recurrent["layers"], &recurrent["n_embd_r"]), (&json!(2), &json!(3 * (1024 + 2 * 8 * 128))));
}

#[test]
fn no_heads_in_layer_0_leave_attention_without_width() {
    let model = gguf(
        "plamo2",
        2,
        &json!({
            "attention.head_count": [0, 8], "attention.head_count_kv": [0, 2], "attention.key_length": 128,
            "attention.value_length": 128, "ssm.conv_kernel": 4, "ssm.inner_size": 1024, "ssm.state_size": 64,
        }),
    );
    assert_eq!(caches(&ask(model, json!({ "n_ctx": 512 }))), [("kv".to_owned(), 512, 1, 0, 0)]);
}

#[test]
fn grok_runs_without_flash_attention() {
    let plan = ask(gguf("grok", 2, &json!({})), json!({ "n_ctx": 512, "flash_attn": "on" }));
    assert_eq!(plan["kv"]["engine_report"]["flash_attn"], "off");
    let plan = ask(gguf("grok", 2, &json!({})), json!({ "n_ctx": 512, "type_v": "q8_0" }));
    assert!(refused(&plan).2.ends_with("quantized V cache requires flash_attn to be enabled"));
}

#[test]
fn phi_2_takes_quantized_keys_only_without_flash_attention() {
    let model = || gguf("phi2", 2, &json!({ "embedding_length": 2560, "attention.head_count": 32 }));
    let on = ask(model(), json!({ "n_ctx": 512, "type_k": "q8_0" }));
    assert_eq!(
        refused(&on),
        (
            "engine-refuses",
            "engine.type_k",
            "llama_init_from_model: K cache type q8_0 with block size 32 does not divide n_embd_head_k=80"
        )
    );
    let off = ask(model(), json!({ "n_ctx": 512, "type_k": "q8_0", "flash_attn": "off" }));
    assert_eq!(caches(&off)[0].3, 2 * 512 * (2560 / 32 * 34));
}

#[test]
fn a_row_that_blocks_do_not_divide_is_cut_as_release_builds_cut_it() {
    // One KV head of 80: 34 × 80 / 32.
    let keys = json!({ "embedding_length": 640, "attention.head_count_kv": 1 });
    let plan = ask(gguf("phi2", 1, &keys), json!({ "n_ctx": 256, "type_k": "q8_0", "flash_attn": "off" }));
    assert_eq!(caches(&plan)[0].3, 256 * 85);
}

#[test]
fn a_batch_that_does_not_split_over_the_streams_aborts_kimi_linear() {
    let keys = json!({
        "attention.head_count_kv": [0, 1], "attention.key_length": 576, "attention.value_length": 512,
        "attention.key_length_mla": 192, "attention.value_length_mla": 128, "attention.kv_lora_rank": 512,
        "kda.head_dim": 128, "ssm.conv_kernel": 4,
    });
    let plan = |n_seq_max, kv_unified| {
        ask(
            gguf("kimi-linear", 2, &keys),
            json!({ "n_ctx": 5000, "n_seq_max": n_seq_max, "kv_unified": kv_unified }),
        )
    };
    assert!(refused(&plan(3, false)).2.contains("ggml_can_repeat(b, a)"));
    assert!(plan(3, true)["error"].is_null() && plan(4, false)["error"].is_null());
}

#[test]
fn deepseek_v4_aborts_on_a_block_that_does_not_divide_its_indexer() {
    let model = || {
        gguf(
            "deepseek4",
            3,
            &json!({
                "attention.head_count_kv": 1, "attention.key_length": 512, "attention.value_length": 512,
                "attention.sliding_window": 128, "attention.indexer.key_length": 128,
                "attention.compress_ratios": [0, 4, 128], "hyper_connection.count": 4,
            }),
        )
    };
    let plan = ask(model(), json!({ "n_ctx": 512, "type_k": "q4_K", "type_v": "q4_K" }));
    assert_eq!(refused(&plan).0, "engine-refuses");
    // Embeddings are handed out for every hyper-connection.
    let plan = ask(model(), json!({ "n_ctx": 512, "embeddings": true }));
    assert_eq!(plan["kv"]["engine_report"]["output_buffer_bytes"], 4 * (1000 + 4 * 512));
}

#[test]
fn encoders_and_diffusion_models_have_no_cache() {
    for arch in ["bert", "modern-bert", "gemma-embedding", "dream", "llada-moe", "rnd1"] {
        let plan = ask(gguf(arch, 4, &json!({})), json!({ "n_ctx": 512 }));
        assert_eq!((&plan["kv"]["allocated_bytes"], caches(&plan).len()), (&json!(0), 0), "{arch}");
        assert_eq!(plan["kv"]["engine_report"]["n_batch"], 2048, "{arch}: not causal, not clipped");
    }
}

#[test]
fn what_a_file_leaves_out_is_named() {
    for (arch, keys, kind, field) in [
        ("llama", json!({ "block_count": null }), "missing-field", "model.gguf.llama.block_count"),
        (
            "llama",
            json!({ "attention.head_count": null }),
            "missing-field",
            "model.gguf.llama.attention.head_count",
        ),
        (
            "llama",
            json!({ "attention.head_count_kv": [8] }),
            "invalid",
            "model.gguf.llama.attention.head_count_kv",
        ),
        ("llama", json!({ "block_count": 5_000_000 }), "invalid", "model.gguf.llama.block_count"),
        ("gpt-oss", json!({}), "missing-field", "model.gguf.gpt-oss.attention.sliding_window"),
        (
            "gpt-oss",
            json!({ "attention.sliding_window": 0 }),
            "invalid",
            "model.gguf.gpt-oss.attention.sliding_window",
        ),
        (
            "gemma4",
            json!({ "attention.sliding_window": 512 }),
            "missing-field",
            "model.gguf.gemma4.attention.sliding_window_pattern",
        ),
        ("llama", json!({ "nextn_predict_layers": 2 }), "invalid", "model.gguf.llama.nextn_predict_layers"),
        ("qwen4exp", json!({}), "unsupported", "model.gguf.general.architecture"),
    ] {
        let plan = ask(gguf(arch, 2, &keys), json!({ "n_ctx": 512 }));
        assert_eq!((refused(&plan).0, refused(&plan).1), (kind, field));
    }
}

#[test]
fn options_are_read_strictly() {
    for (engine, kind, field) in [
        (json!({ "n_ctxx": 1 }), "invalid", "engine.n_ctxx"),
        (json!({ "n_ctx": -1 }), "invalid", "engine.n_ctx"),
        (json!({ "n_ctx": 1u64 << 33 }), "invalid", "engine.n_ctx"),
        (json!({ "type_k": "q9_9" }), "invalid", "engine.type_k"),
        (json!({ "type_k": "i32" }), "invalid", "engine.type_k"),
        (json!({ "flash_attn": "maybe" }), "invalid", "engine.flash_attn"),
        (json!({ "tensor_split": "3,x" }), "invalid", "engine.tensor_split"),
        (json!({ "n_gpu_layers": "some" }), "invalid", "engine.n_gpu_layers"),
        (json!({ "override_tensor": ["exps"] }), "invalid", "engine.override_tensor[0]"),
        (json!({ "kv_unified": 2 }), "invalid", "engine.kv_unified"),
        (json!({ "swa_full": "yes" }), "invalid", "engine.swa_full"),
        (json!({ "ctx_type": "draft" }), "invalid", "engine.ctx_type"),
        (json!({ "n_seq_max": 257 }), "engine-refuses", "engine.n_seq_max"),
        (json!({ "n_batch": 0, "n_ubatch": 0 }), "engine-refuses", "engine.n_batch"),
        (json!({ "version": "b4000" }), "unsupported", "engine.version"),
    ] {
        let plan = ask(gguf("llama", 2, &json!({})), engine.clone());
        assert_eq!((refused(&plan).0, refused(&plan).1), (kind, field), "{engine}");
    }
}

#[test]
fn the_c_apis_numbers_are_its_words() {
    let worded =
        ask(gguf("llama", 2, &json!({})), json!({ "n_ctx": 512, "kv_unified": true, "ctx_type": "default" }));
    let numbered = ask(gguf("llama", 2, &json!({})), json!({ "n_ctx": 512, "kv_unified": 1, "ctx_type": 0 }));
    assert_eq!(worded, numbered);
    assert_eq!(numbered["kv"]["engine_report"]["kv_unified"], true);
}

#[test]
fn placement_does_not_change_the_cache_and_says_so() {
    let plain = ask(gguf("llama", 2, &json!({})), json!({ "n_ctx": 512 }));
    let placed = ask(
        gguf("llama", 2, &json!({})),
        json!({
            "n_ctx": 512, "n_gpu_layers": -1, "tensor_split": "3,1", "n_cpu_moe": 1, "offload_kqv": false,
            "override_tensor": ["exps=CPU"],
        }),
    );
    assert_eq!(plain["kv"], placed["kv"]);
    assert!(placed["assumptions"][0].as_str().unwrap().contains("by device"));
}

#[test]
fn a_request_without_n_ctx_has_context_times_sequences() {
    let engine = json!({ "name": "llama.cpp" });
    let model = gguf("llama", 2, &json!({}));
    let plan = answer(&json!({ "model": model, "engine": engine, "context": 1000, "sequences": 3 }));
    let report = &plan["kv"]["engine_report"];
    assert_eq!(
        (&report["n_ctx"], &report["n_ctx_seq"], &report["n_seq_max"]),
        (&json!(3072), &json!(1024), &json!(3))
    );
    assert_eq!(plan["kv"]["payload_bytes"], 3 * 1000 * 2 * 2 * 512 * 2);
    assert_eq!(plan["kv"]["allocated_bytes"], 3 * 1024 * 2 * 2 * 512 * 2);
}

#[test]
fn a_request_without_context_has_n_ctx_over_n_seq_max() {
    let plan = ask(gguf("llama", 2, &json!({})), json!({ "n_ctx": 4096, "n_seq_max": 4 }));
    assert_eq!(plan["kv"]["stores"][0]["entries"], 1024);
    let plan = ask(gguf("llama", 2, &json!({})), json!({ "n_ctx": 0 }));
    assert_eq!(plan["kv"]["stores"][0]["entries"], 131_072);
}

#[test]
fn the_generic_cache_types_are_the_engines_where_it_has_no_own() {
    let model = gguf("llama", 2, &json!({}));
    let ask = |engine: Value| {
        answer(&json!({ "model": model, "engine": engine, "context": 256, "cache": { "kv": "q8_0" } }))
    };
    let plan = ask(json!({ "name": "llama.cpp" }));
    assert_eq!(plan["kv"]["by_role"], json!({ "k": 2 * 256 * 544, "v": 2 * 256 * 544 }));
    let plan = ask(json!({ "name": "llama.cpp", "type_k": "f16" }));
    assert_eq!(plan["kv"]["by_role"]["k"], 2 * 256 * 1024);
    let foreign = answer(
        &json!({ "model": model, "engine": { "name": "llama.cpp" }, "context": 256, "cache": { "k": "kivi2" } }),
    );
    assert_eq!((refused(&foreign).0, refused(&foreign).1), ("invalid", "cache.k"));
}

#[test]
fn a_short_spec_is_planned_by_its_stores_and_says_so() {
    let layers = json!([
        { "count": 5, "kind": "window", "kv_heads": 8, "k_dim": 128, "v_dim": 128, "window": 1024 },
        { "count": 1, "kind": "full", "kv_heads": 8, "k_dim": 128, "v_dim": 128 },
    ]);
    let plan = answer(
        &json!({ "model": { "spec": { "layers": layers } }, "engine": { "name": "llama.cpp" }, "context": 8192 }),
    );
    assert_eq!(split(&plan), (1, 5));
    assert!(plan["assumptions"][0].as_str().unwrap().starts_with("no llama.cpp architecture is named"));
    let family =
        json!({ "family": "opt", "layers": [{ "kind": "full", "kv_heads": 8, "k_dim": 64, "v_dim": 64 }] });
    let plan =
        answer(&json!({ "model": { "spec": family }, "engine": { "name": "llama.cpp" }, "context": 8192 }));
    assert_eq!((refused(&plan).0, refused(&plan).1), ("unsupported", "model"));
}

#[test]
fn an_explanation_puts_the_numbers_into_the_formulas() {
    let model = gguf("gpt-oss", 2, &json!({ "attention.sliding_window": 128 }));
    let engine = json!({ "name": "llama.cpp", "n_ctx": 5000, "n_seq_max": 3 });
    let plan = answer(&json!({ "model": model, "engine": engine, "explain": true }));
    let formulas: Vec<&str> =
        plan["explain"].as_array().unwrap().iter().map(|term| term["formula"].as_str().unwrap()).collect();
    assert!(formulas.contains(&"1792 × 3 sequences"), "{formulas:?}");
    assert!(formulas.contains(&"PAD(min(1792, 128 × 1 + 512), 256)"), "{formulas:?}");
    let tensor = "1024 bytes a row of 512 as f16 × 768 cells × 3 streams × 1 layers";
    assert!(formulas.contains(&tensor), "{formulas:?}");
}

#[test]
fn every_catalogued_model_is_planned_or_refused_by_name() {
    for model in kvplan_core::spec::catalog::all() {
        let model = model.unwrap();
        let plan =
            answer(&json!({ "model": model.id(), "engine": { "name": "llama.cpp" }, "context": 8192 }));
        match model.llama_cpp_arch() {
            Some(_) => {
                let kv = &plan["kv"];
                assert!(plan["error"].is_null(), "{}: {}", model.id(), plan["error"]);
                let sum = kv["payload_bytes"].as_u64().unwrap() + kv["waste_bytes"].as_u64().unwrap();
                assert_eq!(kv["allocated_bytes"], sum, "{}", model.id());
            }
            None => {
                assert_eq!((refused(&plan).0, refused(&plan).1), ("unsupported", "model"), "{}", model.id())
            }
        }
    }
}
