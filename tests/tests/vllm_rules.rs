//! vLLM 0.33.0's rules, one by one, against figures it printed or that follow from its own constants
//! (runs of its planner, backends' documented layouts, worked values of `data/truth/engines`).
#![expect(clippy::unwrap_used, reason = "a test that cannot read its answer has failed")]

use kvplan_core::plan::answer_line;
use rstest::rstest;
use serde_json::{Value, json};

const LLAMA_8B: &str = r#"{"count": 32, "kind": "full", "kv_heads": 8, "k_dim": 128, "v_dim": 128}"#;
const V3: &str =
    r#"{"count": 61, "kind": "mla", "latent_dim": 512, "rope_dim": 64, "nope_dim": 128, "v_dim": 128}"#;
const V32: &str =
    r#"{"count": 61, "kind": "mla", "latent_dim": 512, "rope_dim": 64, "nope_dim": 128, "indexer_dim": 128}"#;
const KIMI_LINEAR: &str = r#"{"count": 6, "kind": "pattern", "layers": [
    {"count": 3, "kind": "kda", "heads": 32, "head_dim": 128, "conv_kernel": 4},
    {"kind": "mla", "latent_dim": 512, "rope_dim": 64, "nope_dim": 128}]},
    {"count": 2, "kind": "kda", "heads": 32, "head_dim": 128, "conv_kernel": 4},
    {"kind": "mla", "latent_dim": 512, "rope_dim": 64, "nope_dim": 128}"#;
const QWEN3_NEXT: &str = r#"{"count": 12, "kind": "pattern", "layers": [
    {"count": 3, "kind": "gated_delta", "k_heads": 16, "k_dim": 128, "v_heads": 32, "v_dim": 128, "conv_kernel": 4},
    {"kind": "full", "kv_heads": 2, "k_dim": 256, "v_dim": 256}]}"#;
const GPT_OSS_20B: &str = r#"{"count": 12, "kind": "pattern", "layers": [
    {"kind": "window", "kv_heads": 8, "k_dim": 64, "v_dim": 64, "window": 128},
    {"kind": "full", "kv_heads": 8, "k_dim": 64, "v_dim": 64}]}"#;
const GEMMA_2_9B: &str = r#"{"count": 21, "kind": "pattern", "layers": [
    {"kind": "window", "kv_heads": 8, "k_dim": 256, "v_dim": 256, "window": 4096},
    {"kind": "full", "kv_heads": 8, "k_dim": 256, "v_dim": 256}]}"#;

fn ask(spec: &str, layers: &str, options: Value, rest: Value) -> Value {
    let mut model: Value = serde_json::from_str(spec).unwrap();
    model["layers"] = serde_json::from_str(&format!("[{layers}]")).unwrap();
    let mut request = rest;
    request["model"] = json!({ "spec": model });
    request["engine"] = options;
    request["engine"]["name"] = json!("vllm");
    serde_json::from_str(&answer_line(&request.to_string())).unwrap()
}

fn report(layers: &str, options: Value) -> Value {
    let answer = ask(r#"{"dtype": "bf16"}"#, layers, options, json!({ "context": 32768 }));
    assert!(answer["error"].is_null(), "{answer}");
    answer["kv"]["engine_report"].clone()
}

/// Block size and bytes per block.
fn block(layers: &str, options: Value) -> (u64, u64) {
    let report = report(layers, options);
    (report["block_size"].as_u64().unwrap(), report["bytes_per_block"].as_u64().unwrap())
}

fn refusal(layers: &str, options: Value) -> String {
    let answer = ask(r#"{"dtype": "bf16"}"#, layers, options, json!({ "context": 8192 }));
    assert_eq!(answer["error"]["kind"], "engine-refuses", "{answer}");
    answer["error"]["message"].as_str().unwrap().to_owned()
}

/// Bytes per token and KV head at a head of 128, as vLLM's backends pack them.
#[rstest]
#[case::model_type("auto", "sm90", 512)]
#[case::one_byte("fp8", "sm90", 256)]
#[case::one_byte_e5m2("fp8_e5m2", "sm90", 256)]
#[case::two_f32_scales("int8_per_token_head", "sm90", 264)]
#[case::two_f32_scales_fp8("fp8_per_token_head", "sm90", 264)]
#[case::half_bytes_and_scales("int4_per_token_head", "sm90", 136)]
#[case::fp4_and_block_scales("nvfp4", "sm90", 144)]
#[case::on_blackwell_too("nvfp4_4over6", "sm100", 144)]
fn a_cache_type_packs_a_head_of_128(#[case] dtype: &str, #[case] platform: &str, #[case] bytes: u64) {
    let options = json!({ "kv_cache_dtype": dtype, "platform": platform });
    assert_eq!(block(LLAMA_8B, options), (16, 32 * 8 * 16 * bytes));
}

/// 28 packed layers and 4 in bf16, in blocks of 32.
#[rstest]
#[case("turboquant_k8v4", 196)]
#[case("turboquant_4bit_nc", 134)]
#[case("turboquant_k3v4_nc", 118)]
#[case("turboquant_3bit_nc", 102)]
fn turboquant_leaves_two_layers_at_either_end_unquantized(#[case] dtype: &str, #[case] slot: u64) {
    let report = report(LLAMA_8B, json!({ "kv_cache_dtype": dtype }));
    assert_eq!(report["groups"][0]["kind"], "UniformTypeKVCacheSpecs");
    assert_eq!(report["bytes_per_block"], 32 * 8 * (28 * slot + 4 * 512));
}

#[rstest]
#[case::hopper(V3, "sm90", "auto", 16, 1152)]
#[case::hopper_fp8_is_flashmla(V3, "sm90", "fp8", 64, 576)]
#[case::blackwell(V3, "sm100", "auto", 32, 1152)]
#[case::blackwell_fp8(V3, "sm100", "fp8", 32, 576)]
#[case::ampere(V3, "sm80", "auto", 16, 1152)]
#[case::sparse(V32, "sm90", "auto", 64, 1152 + 132)]
#[case::sparse_fp8_is_packed(V32, "sm90", "fp8", 64, 656 + 132)]
#[case::sparse_packed(V32, "sm90", "fp8_ds_mla", 64, 656 + 132)]
#[case::sparse_blackwell(V32, "sm100", "auto", 64, 1152 + 132)]
#[case::sparse_blackwell_fp8_is_plain(V32, "sm100", "fp8", 64, 576 + 132)]
#[case::sparse_blackwell_packed(V32, "sm100", "fp8_ds_mla", 64, 656 + 132)]
#[case::sparse_blackwell_nvfp4(V32, "sm100", "nvfp4_ds_mla", 64, 352 + 132)]
fn latent_rows_and_their_blocks_depend_on_the_gpu(
    #[case] layers: &str,
    #[case] platform: &str,
    #[case] dtype: &str,
    #[case] size: u64,
    #[case] row: u64,
) {
    let options = json!({ "platform": platform, "kv_cache_dtype": dtype, "tensor_parallel_size": 8 });
    assert_eq!(block(layers, options), (size, 61 * size * row));
}

#[test]
fn a_block_size_that_the_preferred_backend_cannot_take_goes_to_the_next() {
    // FLASHINFER_MLA takes 32 and 64, TRITON_MLA any multiple of 16.
    assert_eq!(block(V3, json!({ "platform": "sm100", "block_size": 16 })).0, 16);
    assert_eq!(block(V3, json!({ "platform": "sm100", "block_size": 128 })).0, 128);
    assert!(refusal(LLAMA_8B, json!({ "block_size": 24 })).starts_with("No valid attention backend found"));
}

#[test]
fn hybrid_blocks_hold_a_state_and_follow_prefix_caching() {
    // Qwen3-Next on Hopper: checkpoints at multiples of 64 with prefix caching, 16 without.
    assert_eq!(block(QWEN3_NEXT, json!({})), (576, 14_155_776));
    assert_eq!(block(QWEN3_NEXT, json!({ "enable_prefix_caching": false })).0, 544);
    // Kimi-Linear: latent kernels want multiples of 128, states are float32.
    assert_eq!(block(KIMI_LINEAR, json!({ "enable_prefix_caching": false })), (1920, 15_482_880));
    // bf16 states halve it.
    let halved = json!({ "enable_prefix_caching": false, "mamba_ssm_cache_dtype": "bfloat16" });
    assert_eq!(block(KIMI_LINEAR, halved).0, 1024);
}

#[test]
fn gpt_oss_20b_at_10_gib_is_the_published_walk_through() {
    let options = json!({ "kv_cache_memory_bytes": 10u64 << 30 });
    let report = report(GPT_OSS_20B, options);
    assert_eq!(report["num_gpu_blocks"], 27306);
    assert_eq!(report["kv_cache_tokens"], 290_413);
    let concurrency = report["max_concurrency"].as_f64().unwrap();
    assert_eq!(format!("{concurrency:.2}"), "8.86");
}

#[test]
fn sixteen_gib_less_the_null_block_do_not_hold_131072_tokens_of_llama() {
    let at = |bytes: u64| json!({ "kv_cache_memory_bytes": bytes, "max_model_len": 131_072 });
    assert!(
        refusal(LLAMA_8B, at(16 << 30)).contains("the estimated maximum model length is 131056"),
        "one block of 16 tokens is the null block"
    );
    assert_eq!(report(LLAMA_8B, at((16 << 30) + (2 << 20)))["num_gpu_blocks"], 8193);
}

#[test]
fn decode_context_parallelism_shards_the_tokens_of_latent_layers() {
    let options = |dcp: u64| {
        json!({ "tensor_parallel_size": 8, "decode_context_parallel_size": dcp, "max_model_len": 131_072,
                "kv_cache_memory_bytes": 30u64 << 30 })
    };
    assert_eq!(report(V3, options(8))["num_gpu_blocks"], 28_649);
    assert_eq!(report(V3, options(8))["kv_cache_tokens"], 3_667_072);
    assert_eq!(report(V3, options(1))["kv_cache_tokens"], 458_384);
    let windows = json!({ "tensor_parallel_size": 16, "decode_context_parallel_size": 2 });
    assert_eq!(refusal(GPT_OSS_20B, windows), "DCP not support sliding window.");
    let heads = json!({ "tensor_parallel_size": 8, "decode_context_parallel_size": 2 });
    assert!(refusal(LLAMA_8B, heads).starts_with("Decode context parallelism for GQA/MQA requires"));
}

#[test]
fn pipeline_stages_keep_their_layers_and_add_a_batch_in_flight() {
    let one = report(GEMMA_2_9B, json!({ "max_num_batched_tokens": 2048 }));
    let two = report(GEMMA_2_9B, json!({ "max_num_batched_tokens": 2048, "pipeline_parallel_size": 2 }));
    // 42 layers are 21 + 21; the first stage has 11 windows and 10 full layers.
    assert_eq!(two["groups"][0]["n_layers"], 11);
    assert_eq!(two["groups"][1]["n_layers"], 10);
    assert_eq!(two["bytes_per_block"].as_u64().unwrap() * 21, one["bytes_per_block"].as_u64().unwrap() * 11);
    // 2 batches in flight on one stage, 3 on two: 4095 + 2048·n tokens in blocks of 16, and one more.
    let window = |n: u64| (4095 + 2048 * n).div_ceil(16) + 1;
    assert_eq!(one["blocks_per_sequence"], 2048 + window(2));
    assert_eq!(two["blocks_per_sequence"], 2048 + window(3));
}

#[test]
fn the_hybrid_manager_turned_off_keeps_every_token() {
    let off = report(GEMMA_2_9B, json!({ "disable_hybrid_kv_cache_manager": true }));
    assert_eq!(off["bytes_per_block"], 5_505_024);
    assert_eq!(off["groups"].as_array().unwrap().len(), 1);
    let states = json!({ "disable_hybrid_kv_cache_manager": true });
    assert_eq!(refusal(QWEN3_NEXT, states), "Failed to promote local KV cache specs to one unified type.");
}

#[test]
fn what_no_backend_packs_is_refused() {
    for (layers, dtype, platform) in [
        (LLAMA_8B, "fp8_ds_mla", "sm90"),
        (LLAMA_8B, "octave_k3v4", "sm90"),
        (LLAMA_8B, "ultraquant_4bit", "sm90"),
        (LLAMA_8B, "nvfp4_4over6", "sm90"),
        (GEMMA_2_9B, "turboquant_k8v4", "sm90"),
        (V3, "int8_per_token_head", "sm90"),
        (V3, "fp8_ds_mla", "sm90"),
        (V32, "nvfp4_ds_mla", "sm90"),
    ] {
        let message = refusal(layers, json!({ "kv_cache_dtype": dtype, "platform": platform }));
        assert!(message.starts_with("No valid attention backend found"), "{dtype}: {message}");
    }
    assert!(
        refusal(V3, json!({ "kv_cache_dtype": "nvfp4" }))
            .starts_with("nvfp4 KV cache is not supported with MLA")
    );
    assert!(
        refusal(LLAMA_8B, json!({ "kv_cache_dtype": "float16" })).contains("must match the model's own type")
    );
}

#[test]
fn options_are_read_strictly() {
    for (options, field) in [
        (json!({ "kv_cache_dtype": "fp9" }), "engine.kv_cache_dtype"),
        (json!({ "platform": "sm75" }), "engine.platform"),
        (json!({ "page_size": 16 }), "engine.page_size"),
        (json!({ "tensor_parallel_size": 0 }), "engine.tensor_parallel_size"),
        (json!({ "gpu_memory_utilization": 1.5 }), "engine.gpu_memory_utilization"),
        (json!({ "max_model_len": -2 }), "engine.max_model_len"),
    ] {
        let answer = ask("{}", LLAMA_8B, options, json!({ "context": 1024 }));
        assert_eq!(answer["error"]["kind"], "invalid", "{answer}");
        assert_eq!(answer["error"]["field"], field, "{answer}");
    }
    let missing = ask("{}", LLAMA_8B, json!({}), json!({}));
    assert_eq!(missing["error"]["kind"], "missing-field");
    let mixed =
        ask("{}", LLAMA_8B, json!({}), json!({ "context": 1024, "cache": { "k": "fp8_e4m3", "v": "f16" } }));
    assert_eq!(mixed["error"]["field"], "cache.v", "{mixed}");
    let kv = ask("{}", LLAMA_8B, json!({}), json!({ "context": 1024, "cache": { "kv": "fp8_e4m3" } }));
    assert_eq!(kv["kv"]["engine_report"]["bytes_per_block"], 1_048_576);
}

#[test]
fn a_request_longer_than_the_model_is_refused() {
    let spec = r#"{"dtype": "bf16", "trained_context": 8192}"#;
    let answer = ask(spec, LLAMA_8B, json!({ "max_model_len": 8193 }), json!({}));
    assert_eq!(answer["error"]["kind"], "engine-refuses");
    assert!(
        answer["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("User-specified max_model_len (8193) is greater")
    );
    // Asked as a context it is a question about memory: answered, with what vLLM would need to be told.
    let answer = ask(spec, LLAMA_8B, json!({}), json!({ "context": 8193 }));
    let said = answer["assumptions"].to_string();
    assert!(said.contains("VLLM_ALLOW_LONG_MAX_MODEL_LEN=1"), "{said}");
}

/// Lengths that `_get_and_verify_max_len` derives: Command-R's two lengths, InternLM2.5-7B's dynamic scaling, linear
/// scaling, and YaRN's length with its factor already in it.
#[rstest]
#[case::model_max_length(json!({ "max_position_embeddings": 8192, "model_max_length": 131_072 }), 131_072)]
#[case::dynamic(json!({ "max_position_embeddings": 32768, "rope_scaling": { "type": "dynamic", "factor": 2.0 } }), 65_536)]
#[case::linear(json!({ "max_position_embeddings": 16384, "rope_scaling": { "rope_type": "linear", "factor": 4 } }), 65_536)]
#[case::yarn(json!({ "max_position_embeddings": 40960, "rope_parameters": { "rope_type": "yarn", "factor": 4.0 } }), 40_960)]
fn the_longest_request_follows_the_publishers_scaling(#[case] lengths: Value, #[case] longest: u64) {
    let mut config = json!({
        "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32,
        "num_key_value_heads": 8, "torch_dtype": "bfloat16",
    });
    config.as_object_mut().unwrap().extend(lengths.as_object().unwrap().clone());
    let ask = |context: u64| -> Value {
        let engine = json!({ "name": "vllm", "max_model_len": context });
        let request = json!({ "model": { "hf": config }, "engine": engine });
        serde_json::from_str(&answer_line(&request.to_string())).unwrap()
    };
    assert!(ask(longest)["error"].is_null());
    assert_eq!(ask(longest + 1)["error"]["kind"], "engine-refuses");
}

#[test]
fn minus_one_fits_the_length_to_the_pool() {
    let spec = r#"{"dtype": "bf16", "trained_context": 131072}"#;
    let options = json!({ "max_model_len": -1, "kv_cache_memory_bytes": 16u64 << 30 });
    let answer = ask(spec, LLAMA_8B, options, json!({}));
    assert_eq!(answer["kv"]["stores"][0]["entries"], 131_056, "{answer}");
}

/// Lines, overhead and free bytes add up to the pool, whatever the sequences.
#[rstest]
#[case::plain(LLAMA_8B)]
#[case::windows(GPT_OSS_20B)]
#[case::states(QWEN3_NEXT)]
#[case::latent(KIMI_LINEAR)]
#[case::index_keys(V32)]
fn a_pool_is_what_its_lines_hold_waste_and_leave_free(
    #[case] layers: &str,
    #[values(1, 3, 1000)] sequences: u64,
) {
    let options = json!({ "kv_cache_memory_bytes": 40u64 << 30 });
    let answer = ask("{}", layers, options, json!({ "context": 16384, "sequences": sequences }));
    let kv = &answer["kv"];
    let total = kv["engine_report"]["total_bytes"].as_u64().unwrap();
    assert_eq!(kv["allocated_bytes"], total);
    let free = kv["pool_free_bytes"].as_u64().unwrap();
    let held: u64 = kv["by_role"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert!(held + free < total, "the null block belongs to no store: {answer}");
    let needed = kv["engine_report"]["num_gpu_blocks"].as_u64().unwrap() - 1;
    if free > 0 {
        assert_eq!(kv["waste_bytes"].as_u64().unwrap(), total - free - kv["payload_bytes"].as_u64().unwrap());
    } else {
        assert!(answer["assumptions"].to_string().contains("queues or preempts"), "{needed}: {answer}");
    }
}

#[test]
fn without_memory_the_reservation_is_what_the_sequences_need() {
    let options = json!({});
    let answer = ask("{}", LLAMA_8B, options, json!({ "context": 4096, "sequences": 3 }));
    let kv = &answer["kv"];
    // 256 blocks a sequence, and the null block.
    assert_eq!(kv["allocated_bytes"], (3 * 256 + 1) * 2_097_152u64);
    assert_eq!(kv["payload_bytes"], 3 * 4096 * 131_072u64);
    assert_eq!(kv["waste_bytes"], 2_097_152);
    assert_eq!(kv["bytes_per_token"], 131_072);
    assert!(kv["engine_report"]["num_gpu_blocks"].is_null() && kv["pool_free_bytes"].is_null());
    assert!(answer["assumptions"].to_string().contains("gpu_memory_utilization"));
}

#[test]
fn figures_are_one_ranks() {
    let answer = ask("{}", LLAMA_8B, json!({ "tensor_parallel_size": 16 }), json!({ "context": 4096 }));
    // 8 KV heads on 16 ranks: one each, twice.
    assert_eq!(answer["kv"]["bytes_per_token"], 131_072 / 8);
    let odd = json!({ "tensor_parallel_size": 3 });
    assert!(refusal(LLAMA_8B, odd).contains("KV heads"));
}

#[test]
fn an_explanation_names_the_rules_with_their_numbers() {
    let options = json!({ "kv_cache_memory_bytes": 10u64 << 30 });
    let answer = ask("{}", GPT_OSS_20B, options, json!({ "context": 32768, "explain": true }));
    let text = answer["explain"].to_string();
    for id in ["vllm/block-size", "vllm/groups", "vllm/demand", "vllm/pool", "vllm/page-size"] {
        assert!(text.contains(id), "{id}: {text}");
    }
}
