//! Reading a publisher's `config.json`: each trap seen in a collected file, and what must be refused.
#![cfg(test)]

use kvplan_core::cache::Role;
use kvplan_core::error::{ErrorKind, PlanError};
use kvplan_core::plan::answer_line;
use kvplan_core::spec::hf::{import, import_record};
use kvplan_core::spec::{Mixer, ModelSpec};
use serde_json::{Map, Value, json};

/// `base` with `changes` written over it; null removes.
fn with(base: &Value, changes: Value) -> Value {
    let mut map: Map<String, Value> = base.as_object().unwrap().clone();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            map.remove(key)
        } else {
            map.insert(key.clone(), value.clone())
        };
    }
    Value::Object(map)
}

fn llama() -> Value {
    json!({"model_type": "llama", "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "hidden_size": 4096, "max_position_embeddings": 131_072, "torch_dtype": "bfloat16"})
}

fn gpt_oss() -> Value {
    with(
        &llama(),
        json!({"model_type": "gpt_oss", "num_hidden_layers": 4, "head_dim": 64, "sliding_window": 128, "layer_types":
            ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]}),
    )
}

fn deepseek() -> Value {
    json!({"model_type": "deepseek_v3", "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128,
        "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
        "num_nextn_predict_layers": 1})
}

fn glm_dsa() -> Value {
    with(
        &deepseek(),
        json!({"model_type": "glm_moe_dsa", "num_hidden_layers": 4, "index_head_dim": 128, "index_topk_freq": 4,
        "indexer_types": ["full", "full", "shared", "shared"]}),
    )
}

fn kimi() -> Value {
    with(
        &deepseek(),
        json!({"model_type": "kimi_linear", "num_hidden_layers": 5, "head_dim": 72, "num_nextn_predict_layers": 0,
        "linear_attn_config": {"kda_layers": [1, 2, 3], "full_attn_layers": [4, 5], "num_heads": 32, "head_dim": 128,
            "short_conv_kernel_size": 4}}),
    )
}

fn nemotron() -> Value {
    json!({"model_type": "nemotron_h", "layers_block_type": ["mamba", "moe", "mamba", "attention", "moe"],
        "num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128, "hidden_size": 2688, "n_group": 1,
        "n_groups": 8, "ssm_state_size": 128, "mamba_num_heads": 64, "mamba_head_dim": 64, "conv_kernel": 4,
        "mamba_ssm_cache_dtype": "float32", "num_nextn_predict_layers": 1,
        "mtp_layers_block_type": ["attention", "moe"]})
}

fn mimo() -> Value {
    json!({"model_type": "mimo_v2_flash", "num_hidden_layers": 3, "num_attention_heads": 64, "num_key_value_heads": 4,
        "head_dim": 192, "v_head_dim": 128, "swa_num_key_value_heads": 8, "swa_head_dim": 192, "swa_v_head_dim": 128,
        "sliding_window": 128, "attention_chunk_size": 128, "hybrid_layer_pattern": [0, 1, 1]})
}

fn v4() -> Value {
    json!({"model_type": "deepseek_v4", "num_hidden_layers": 3, "num_attention_heads": 64, "head_dim": 512,
        "sliding_window": 128, "index_head_dim": 128, "num_nextn_predict_layers": 1, "compress_ratios": [0, 4, 128, 0]})
}

fn granite() -> Value {
    with(
        &llama(),
        json!({"model_type": "granitemoehybrid", "num_hidden_layers": 3, "mamba_n_heads": 128, "mamba_d_head": 64,
        "mamba_n_groups": 1, "mamba_d_state": 256, "mamba_d_conv": 4, "layer_types": ["attention", "attention", "attention"]}),
    )
}

fn hunyuan() -> Value {
    with(
        &llama(),
        json!({"model_type": "hunyuan", "cla_share_factor": 2, "use_cla": false, "kv_lora_rank": null,
        "use_mla": false, "attention_head_dim": 128}),
    )
}

fn understood(config: &Value) -> ModelSpec {
    import(config).unwrap()
}

fn refused(config: &Value) -> PlanError {
    import(config).unwrap_err()
}

fn windows(spec: &ModelSpec) -> usize {
    spec.layers().filter(|l| matches!(l.mixers(), [Mixer::Window(_)])).count()
}

/// Elements per token of one model: every K, V and latent row of its trunk.
fn row_elements(spec: &ModelSpec) -> u64 {
    let kept = |role: Role| matches!(role, Role::K | Role::V | Role::Latent);
    spec.layers().flat_map(|l| l.stores()).filter(|s| kept(s.role)).map(|s| s.width().unwrap().get()).sum()
}

#[test]
fn pitfall_1_a_bare_infinity_in_a_request_is_read() {
    let mut config = nemotron();
    config["time_step_limit"] = json!("HERE");
    let line = json!({"id": 7, "model": {"hf": config}, "context": 1000}).to_string();
    let answer: Value =
        serde_json::from_str(&answer_line(&line.replace("\"HERE\"", "[0.0, Infinity]"))).unwrap();
    assert_eq!(answer["id"], 7);
    // One attention layer of 2 heads × 128, keys and values, two bytes each.
    assert_eq!(answer["kv"]["bytes_per_token"], 1024);
}

#[test]
fn pitfall_2_a_layer_list_counts_the_layers() {
    assert_eq!(understood(&nemotron()).layer_count(), 5);
    let error = refused(&with(&nemotron(), json!({"num_hidden_layers": 6})));
    assert_eq!((error.kind, error.value), (ErrorKind::Invalid, json!(6)));
}

#[test]
fn pitfall_3_groups_of_the_state_are_not_groups_of_the_router() {
    let spec = understood(&nemotron());
    assert!(spec.layers().any(|l| matches!(l.mixers(), [Mixer::Mamba2(m)] if m.groups == 8)));
}

#[test]
fn pitfall_4_head_dim_and_kv_heads_mean_nothing_beside_a_latent_row() {
    let spec = understood(&with(&deepseek(), json!({"head_dim": 192})));
    assert_eq!(row_elements(&spec), 61 * 576);
    assert!(
        matches!(spec.kinds()[0].mixers(), [Mixer::Mla(m)] if m.heads == Some(128) && m.nope_dim == Some(128))
    );
}

#[test]
fn pitfall_5_a_head_dim_that_division_would_get_wrong_is_asked_for() {
    // GLM-4.5-Air: 4096 / 96 is not 128.
    let air = with(&llama(), json!({"model_type": "glm4_moe", "num_attention_heads": 96}));
    assert_eq!(refused(&air).kind, ErrorKind::MissingField);
    assert_eq!(refused(&air).field, "head_dim");
    assert_eq!(row_elements(&understood(&with(&air, json!({"head_dim": 128})))), 32 * 2 * 8 * 128);
    let llama = with(&llama(), json!({"num_attention_heads": 96}));
    assert_eq!(refused(&llama).field, "head_dim");
}

#[test]
fn pitfall_6_a_window_counts_only_where_it_is_on_and_smaller_than_the_context() {
    let qwen = with(
        &llama(),
        json!({"model_type": "qwen2", "sliding_window": 32768, "use_sliding_window": false, "max_window_layers": 28}),
    );
    assert_eq!(windows(&understood(&qwen)), 0);
    assert_eq!(windows(&understood(&with(&qwen, json!({"use_sliding_window": true})))), 4);
    let phi = with(&llama(), json!({"model_type": "phi3", "sliding_window": 262_144}));
    assert_eq!(windows(&understood(&phi)), 0);
    assert_eq!(windows(&understood(&with(&phi, json!({"sliding_window": 131_072})))), 0);
    assert_eq!(windows(&understood(&with(&phi, json!({"sliding_window": 2047})))), 32);
    let mut mistral = with(&llama(), json!({"model_type": "mistral", "sliding_window": 4096}));
    assert_eq!(windows(&understood(&mistral)), 32);
    mistral["sliding_window"] = Value::Null;
    assert_eq!(windows(&understood(&mistral)), 0);
}

#[test]
fn pitfall_7_what_a_class_default_decides_is_said() {
    let text = json!({"model_type": "gemma3_text", "head_dim": 128, "hidden_size": 5376, "num_attention_heads": 32,
        "num_hidden_layers": 62, "num_key_value_heads": 16, "sliding_window": 1024});
    let record = import_record(&json!({"model_type": "gemma3", "text_config": text})).unwrap();
    assert_eq!((record.trained_context, record.vocab_size), (Some(131_072), Some(262_208)));
    for name in ["sliding_window_pattern", "vocab_size", "max_position_embeddings"] {
        assert!(record.assumptions.iter().any(|line| line.contains(name)), "{name}");
    }
    assert_eq!(windows(&understood(&json!({"model_type": "gemma3", "text_config": text}))), 52);
}

#[test]
fn pitfall_8_mimo_s_chunk_size_is_no_chunked_attention() {
    let spec = understood(&mimo());
    assert_eq!(windows(&spec), 2);
    assert_eq!(row_elements(&spec), 4 * (192 + 128) + 2 * 8 * (192 + 128));
}

#[test]
fn pitfall_9_what_is_switched_off_is_off_and_what_is_on_is_refused() {
    assert_eq!(row_elements(&understood(&hunyuan())), 32 * 2 * 8 * 128);
    for key in ["use_cla", "use_mla"] {
        let error = refused(&with(&hunyuan(), json!({key: true})));
        assert_eq!((error.kind, error.field.as_str()), (ErrorKind::Unsupported, key));
    }
}

#[test]
fn pitfall_10_equal_keys_and_values_are_cached_twice_in_gemma_4() {
    let gemma = with(
        &llama(),
        json!({"model_type": "gemma4_text", "num_hidden_layers": 2, "head_dim": 256, "global_head_dim": 512,
            "num_global_key_value_heads": 1, "attention_k_eq_v": true, "num_kv_shared_layers": 0,
            "sliding_window": 1024, "layer_types": ["sliding_attention", "full_attention"]}),
    );
    assert_eq!(row_elements(&understood(&gemma)), 2 * 8 * 256 + 2 * 512);
}

#[test]
fn pitfall_11_lists_may_reach_over_the_drafting_layers_and_nothing_else() {
    let spec = understood(&v4());
    assert_eq!((spec.layer_count(), spec.mtp_count()), (3, 1));
    for ratios in [json!([0, 4]), json!([0, 4, 128, 0, 0])] {
        let error = refused(&with(&v4(), json!({"compress_ratios": ratios})));
        assert_eq!((error.kind, error.field.as_str()), (ErrorKind::Invalid, "compress_ratios"));
    }
    let error = refused(&with(&gpt_oss(), json!({"num_hidden_layers": 5})));
    assert_eq!((error.field.as_str(), error.value), ("layer_types", json!(4)));
}

#[test]
fn pitfall_12_kimi_counts_layers_from_one() {
    let spec = understood(&kimi());
    let latent = |i: usize| matches!(spec.layers().nth(i).unwrap().mixers(), [Mixer::Mla(_)]);
    assert_eq!([latent(2), latent(3), latent(4)], [false, true, true]);
    for (kda, full) in [
        (json!([0, 1, 2]), json!([3, 4])),
        (json!([1, 2]), json!([2, 3, 4, 5])),
        (json!([1, 2]), json!([4, 5])),
    ] {
        let mut config = kimi();
        config["linear_attn_config"]["kda_layers"] = kda;
        config["linear_attn_config"]["full_attn_layers"] = full;
        let error = refused(&config);
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.field.starts_with("linear_attn_config"), "{}", error.field);
    }
}

#[test]
fn pitfall_13_drafting_layers_are_kept_beside_the_trunk() {
    let spec = understood(&deepseek());
    assert_eq!((spec.layer_count(), spec.mtp_count()), (61, 1));
    let spec = understood(&nemotron());
    assert_eq!(spec.mtp_count(), 1);
    let minimax = with(
        &llama(),
        json!({"model_type": "minimax_m2", "head_dim": 128, "num_mtp_modules": 3,
        "mtp_transformer_layers": 1, "use_mtp": true}),
    );
    assert_eq!(understood(&minimax).mtp_count(), 3);
    assert_eq!(understood(&with(&minimax, json!({"use_mtp": false}))).mtp_count(), 0);
}

#[test]
fn pitfall_16_layers_that_borrow_an_indexer_say_so() {
    let spec = understood(&glm_dsa());
    let shares: Vec<bool> = spec
        .layers()
        .map(|l| matches!(l.mixers(), [Mixer::Mla(m)] if m.indexer_shared && m.indexer_dim.is_none()))
        .collect();
    assert_eq!(shares, [false, false, true, true]);
    let error = refused(&with(&glm_dsa(), json!({"indexer_types": null})));
    assert_eq!((error.kind, error.field.as_str()), (ErrorKind::MissingField, "indexer_types"));
}

#[test]
fn pitfall_18_new_names_and_lists_where_a_number_was_are_read() {
    let new = with(
        &llama(),
        json!({"torch_dtype": null, "dtype": "bfloat16", "intermediate_size": [1, 2], "moe_topk": [8],
        "rope_parameters": {"full_attention": {"rope_theta": 1e6}}}),
    );
    let record = import_record(&new).unwrap();
    assert_eq!(record.dtype.as_deref(), Some("bf16"));
    assert_eq!(record, import_record(&llama()).unwrap());
}

#[test]
fn pitfall_19_a_hybrid_family_may_hold_attention_alone() {
    assert_eq!(row_elements(&understood(&granite())), 3 * 2 * 8 * 128);
    let mixed = with(&granite(), json!({"layer_types": ["mamba", "attention", "mamba"]}));
    assert_eq!(row_elements(&understood(&mixed)), 2 * 8 * 128);
}

#[test]
fn an_unknown_model_type_is_refused_by_name() {
    let error = refused(&json!({"model_type": "gpt7", "num_hidden_layers": 2}));
    assert_eq!(
        (error.kind, error.field.as_str(), error.value),
        (ErrorKind::Unsupported, "model_type", json!("gpt7"))
    );
    let nested = refused(&json!({"model_type": "x_vl", "text_config": {"model_type": "gpt7"}}));
    assert_eq!(nested.field, "text_config.model_type");
    assert_eq!(refused(&json!({"num_hidden_layers": 2})).kind, ErrorKind::MissingField);
    assert_eq!(refused(&json!([])).kind, ErrorKind::Invalid);
}

#[test]
fn a_field_that_decides_a_cache_is_never_ignored() {
    for (key, value) in [
        ("kv_lora_rank", json!(512)),
        ("sliding_window", json!(4096)),
        ("linear_attn_config", json!({"kda_layers": [1]})),
        ("hybrid_override_pattern", json!("M*")),
        ("mamba_d_state", json!(16)),
        ("index_head_dim", json!(128)),
        ("num_kv_shared_layers", json!(4)),
        ("cross_attention_layers", json!([3])),
        ("multi_query_group_num", json!(2)),
        ("v_head_dim", json!(64)),
        ("attention_chunk_size", json!(8192)),
    ] {
        let error = refused(&with(&llama(), json!({key: value})));
        assert_eq!((error.kind, error.field.as_str()), (ErrorKind::Unsupported, key));
    }
    let nested = json!({"model_type": "llava", "text_config": with(&llama(), json!({"kv_lora_rank": 512}))});
    assert_eq!(refused(&nested).field, "text_config.kv_lora_rank");
}

#[test]
fn an_unknown_kind_of_layer_is_refused_by_place() {
    let mut config = gpt_oss();
    config["layer_types"][2] = json!("linear_attention");
    let error = refused(&config);
    assert_eq!((error.field.as_str(), error.value), ("layer_types[2]", json!("linear_attention")));
    let mut config = mimo();
    config["hybrid_layer_pattern"][1] = json!(2);
    assert_eq!(refused(&config).field, "hybrid_layer_pattern[1]");
    let error = refused(&with(&v4(), json!({"compress_ratios": [0, 4, 8, 0]})));
    assert_eq!((error.kind, error.field.as_str()), (ErrorKind::Unsupported, "compress_ratios[2]"));
}

#[test]
fn there_is_no_default_head_count() {
    for key in ["num_hidden_layers", "num_key_value_heads"] {
        let error = refused(&with(&gpt_oss(), json!({key: null})));
        assert_eq!((error.kind, error.field.as_str()), (ErrorKind::MissingField, key));
    }
    assert_eq!(refused(&with(&llama(), json!({"num_key_value_heads": 0}))).kind, ErrorKind::Invalid);
    assert_eq!(
        refused(&with(&llama(), json!({"num_key_value_heads": null, "num_attention_heads": null}))).kind,
        ErrorKind::MissingField
    );
    // Llama's class has one: as many as query heads. It is said.
    let record = import_record(&with(&llama(), json!({"num_key_value_heads": null}))).unwrap();
    assert!(record.assumptions[0].contains("num_key_value_heads"));
}

#[test]
fn a_config_without_a_model_type_is_known_by_its_class() {
    let config = with(
        &llama(),
        json!({"model_type": null, "architectures": ["Qwen3MoeForCausalLM"], "head_dim": 128}),
    );
    assert_eq!(understood(&config).family(), Some("qwen3_moe"));
}

#[test]
fn a_frame_lends_its_name_to_a_text_config_that_has_none() {
    let text = with(
        &llama(),
        json!({"model_type": null, "num_hidden_layers": 2, "head_dim": 128, "sparse_attention_config":
        {"use_sparse_attention": true, "sparse_index_dim": 128, "sparse_attention_freq": [0, 1]}}),
    );
    let spec = understood(&json!({"model_type": "minimax_m3_vl", "text_config": text}));
    assert!(matches!(spec.layers().nth(1).unwrap().mixers(), [Mixer::Full(f)] if f.indexer_dim == Some(128)));
    let error = refused(&json!({"model_type": "gemma3", "hidden_size": 8}));
    assert_eq!((error.kind, error.field.as_str()), (ErrorKind::MissingField, "text_config"));
}

#[test]
fn two_names_for_one_dimension_must_agree() {
    let error = refused(&with(&nemotron(), json!({"attention_head_dim": 64})));
    assert_eq!((error.kind, error.field.as_str()), (ErrorKind::Invalid, "attention_head_dim"));
    assert!(import(&with(&nemotron(), json!({"attention_head_dim": 128}))).is_ok());
}

#[test]
fn a_billion_layers_are_refused_before_they_are_built() {
    for key in ["num_hidden_layers", "num_nextn_predict_layers"] {
        let error = refused(&with(&deepseek(), json!({key: 1_000_000_000u64})));
        assert_eq!((error.kind, error.field.as_str()), (ErrorKind::Invalid, key));
    }
}

#[test]
fn a_request_names_the_field_inside_the_config() {
    let line =
        json!({"model": {"hf": with(&llama(), json!({"kv_lora_rank": 512}))}, "context": 1}).to_string();
    let answer: Value = serde_json::from_str(&answer_line(&line)).unwrap();
    assert_eq!(
        (&answer["error"]["kind"], &answer["error"]["field"]),
        (&json!("unsupported"), &json!("model.hf.kv_lora_rank"))
    );
    assert_eq!(answer["error"]["value"], 512);
}

#[test]
fn an_encoder_keeps_no_cache_and_is_refused() {
    let gemma = with(&llama(), json!({"model_type": "gemma3_text", "head_dim": 256, "sliding_window": 512}));
    assert!(import(&gemma).is_ok());
    assert_eq!(
        refused(&with(&gemma, json!({"use_bidirectional_attention": true}))).field,
        "use_bidirectional_attention"
    );
    assert_eq!(refused(&with(&llama(), json!({"is_causal": false}))).field, "is_causal");
}

#[test]
fn gemma_3_4b_as_google_wrote_it_leaves_its_heads_to_the_class() {
    // 34 layers × 4 KV heads × 256, as the transcriptions that spell the class out say: 20,480 + 118,784 bytes a token.
    let text = json!({"model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34, "sliding_window": 1024});
    let config = json!({"model_type": "gemma3", "text_config": text});
    assert_eq!(row_elements(&understood(&config)) * 2, 20_480 + 118_784);
    let record = import_record(&config).unwrap();
    assert!(record.assumptions.iter().any(|line| line.contains("num_key_value_heads")));
}

#[test]
fn longcat_s_layers_hold_two_caches_whichever_way_they_are_counted() {
    let longcat = with(
        &deepseek(),
        json!({"model_type": "longcat_flash", "num_hidden_layers": null, "num_layers": 28,
        "num_nextn_predict_layers": null}),
    );
    for count in [json!(null), json!(28), json!(56)] {
        let spec = understood(&with(&longcat, json!({"num_hidden_layers": count})));
        assert_eq!((spec.layer_count(), row_elements(&spec) * 2), (28, 64_512));
    }
    assert_eq!(refused(&with(&longcat, json!({"num_hidden_layers": 27}))).field, "num_hidden_layers");
}

#[test]
fn persimmon_keeps_a_key_and_a_value_for_every_query_head() {
    // adept/persimmon-8b-base: 36 layers of 64 heads of 64.
    let config = json!({"model_type": "persimmon", "num_hidden_layers": 36, "num_attention_heads": 64,
        "hidden_size": 4096, "max_position_embeddings": 16_384, "torch_dtype": "bfloat16"});
    assert_eq!(row_elements(&understood(&config)), 36 * 2 * 64 * 64);
}
