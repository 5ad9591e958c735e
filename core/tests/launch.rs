//! Command lines: what is exported reads back as itself, and what people paste is understood.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its line has failed")]

use kvplan_core::engine::EngineName;
use kvplan_core::error::ErrorKind;
use kvplan_core::launch::{Target, Why, export, read};
use kvplan_core::plan::{CacheRequest, EngineRequest, ModelRef, Request, plan, plan_model, resolve_model};
use kvplan_core::spec::catalog;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

/// A request for a catalogued model.
fn asked(target: Target, model: &str, options: &Value, cache: (&str, &str), sizes: (u64, u64)) -> Request {
    Request {
        engine: Some(EngineRequest {
            name: target.engine(),
            version: None,
            options: options.as_object().unwrap().clone(),
        }),
        context: Some(sizes.0),
        sequences: Some(sizes.1),
        cache: CacheRequest {
            k: Some(cache.0.to_owned()),
            v: Some(cache.1.to_owned()),
            ..CacheRequest::default()
        },
        ..Request::of(ModelRef::Id(model.to_owned()))
    }
}

/// Exports, reads back, and compares request and bytes; an engine that refuses the plan exports nothing.
fn assert_round_trip(target: Target, request: &Request) {
    let model = resolve_model(&request.model).unwrap();
    let model = model.as_ref();
    let planned = match plan_model(model, request) {
        Ok(planned) => planned,
        Err(error) => {
            assert_eq!(export(target, model, request, None).unwrap_err().kind, error.kind);
            return;
        }
    };
    let launch = export(target, model, request, None).unwrap();
    let text = launch.text();
    let reading = read(&text).unwrap();
    assert_eq!(reading.ignored, [], "every flag is one of the engine's and carries something: {text}");
    assert_eq!(reading.request, launch.request, "{text}");
    let again = plan(&reading.request).map(|plan| plan.kv.allocated_bytes);
    assert_eq!(again, Ok(planned.kv.allocated_bytes), "{text}");
}

proptest! {
    #[test]
    fn a_llama_server_command_reads_back_as_the_request(
        model in prop::sample::select(vec!["qwen3-8b", "llama-3.1-8b", "gemma-3-27b", "gpt-oss-20b", "qwen3.6-27b", "deepseek-v3"]),
        context in 1u64..40_000,
        sequences in 1u64..9,
        cache in prop::sample::select(vec![("f16", "f16"), ("q8_0", "q8_0"), ("q8_0", "q4_0"), ("bf16", "f16")]),
        unified in any::<bool>(),
        swa_full in any::<bool>(),
        n_ubatch in prop::option::of(prop::sample::select(vec![128u64, 512, 1024])),
        n_gpu_layers in prop::option::of(prop::sample::select(vec![json!(-1), json!(20), json!("all")])),
    ) {
        let mut options = json!({ "kv_unified": unified, "swa_full": swa_full });
        if let Some(n) = n_ubatch { options["n_ubatch"] = json!(n); }
        if let Some(n) = n_gpu_layers { options["n_gpu_layers"] = n; options["tensor_split"] = json!("3,1"); }
        assert_round_trip(Target::LlamaCpp, &asked(Target::LlamaCpp, model, &options, cache, (context, sequences)));
    }

    #[test]
    fn a_vllm_command_reads_back_as_the_request(
        model in prop::sample::select(vec!["qwen3-8b", "llama-3.1-8b", "gemma-3-27b", "gpt-oss-20b", "qwen3.6-27b", "deepseek-v3", "deepseek-v3.2"]),
        context in 1u64..40_000,
        sequences in 1u64..9,
        cache in prop::sample::select(vec![("bf16", "bf16"), ("fp8_e4m3", "fp8_e4m3"), ("int8_per_token_head", "int8_per_token_head")]),
        prefix_caching in any::<bool>(),
        hybrid in any::<bool>(),
        tp in prop::sample::select(vec![1u64, 2]),
        drafted in 0u64..3,
    ) {
        let options = json!({
            "enable_prefix_caching": prefix_caching, "disable_hybrid_kv_cache_manager": hybrid,
            "tensor_parallel_size": tp, "num_speculative_tokens": drafted,
        });
        assert_round_trip(Target::Vllm, &asked(Target::Vllm, model, &options, cache, (context, sequences)));
    }
}

proptest! {
    #[test]
    fn an_sglang_command_reads_back_as_the_request(
        model in prop::sample::select(vec!["qwen3-8b", "llama-3.1-8b", "gpt-oss-20b", "llama-4-scout-17b-16e", "deepseek-v3", "deepseek-v3.2"]),
        context in 1u64..40_000,
        sequences in 1u64..9,
        cache in prop::sample::select(vec![("bf16", "bf16"), ("fp8_e4m3", "fp8_e4m3"), ("fp8_e5m2", "fp8_e5m2")]),
        tp_size in prop::sample::select(vec![1u64, 2]),
        page_size in prop::option::of(prop::sample::select(vec![16u64, 64])),
        hybrid in any::<bool>(),
    ) {
        let mut options = json!({ "tp_size": tp_size });
        if let Some(page) = page_size { options["page_size"] = json!(page); }
        if !hybrid { options["hybrid_swa"] = json!(false); }
        assert_round_trip(Target::Sglang, &asked(Target::Sglang, model, &options, cache, (context, sequences)));
    }
}

#[test]
fn every_catalogued_model_can_be_exported_and_read_back() {
    for target in [Target::LlamaCpp, Target::Vllm, Target::Sglang] {
        for model in catalog::all() {
            let id = model.unwrap().id();
            assert_round_trip(target, &asked(target, id, &json!({}), ("f16", "f16"), (4096, 2)));
        }
    }
}

/// What a pasted line asks for.
fn options(text: &str) -> Value {
    serde_json::to_value(read(text).unwrap().request).unwrap()["engine"].clone()
}

#[rstest]
// Without -np llama-server opens 4 slots over one pool (tools/server/server.cpp).
#[case("llama-server -m Qwen3-8B-Q4_K_M.gguf -c 32768", json!({"n_ctx": 32768, "n_seq_max": 4, "kv_unified": true}))]
#[case("llama-server -m x.gguf -np 2 -c 8192", json!({"n_ctx": 8192, "n_seq_max": 2}))]
#[case("llama-cli -m x.gguf", json!({"n_ctx": 0, "n_seq_max": 1}))]
#[case("LLAMA_ARG_CTX_SIZE=4096 llama-server -m x.gguf -np 1", json!({"n_ctx": 4096, "n_seq_max": 1}))]
#[case("llama-server -m x.gguf -np 3 --kv-unified-per-slot 8192", json!({"n_ctx": 24576, "n_seq_max": 3}))]
#[case("llama-server -m x.gguf -np 1 -c 1 -fa -ctk q8_0 --cache-type-v=q8_0 --no-kv-offload",
    json!({"n_ctx": 1, "n_seq_max": 1, "flash_attn": "on", "type_k": "q8_0", "type_v": "q8_0", "offload_kqv": false}))]
#[case("llama-server -m x.gguf -np 1 -c 1 -ot 'a=CPU,b=CPU' -ot c=CPU",
    json!({"n_ctx": 1, "n_seq_max": 1, "override_tensor": ["a=CPU", "b=CPU", "c=CPU"]}))]
#[case("vllm serve Qwen/Qwen3-8B --max-model-len 32K -tp 2 --kv_cache_dtype fp8 --no-enable-prefix-caching",
    json!({"max_model_len": 32768, "tensor_parallel_size": 2, "kv_cache_dtype": "fp8", "enable_prefix_caching": false}))]
#[case("docker run --gpus all vllm/vllm-openai:latest --model Qwen/Qwen3-8B --max-model-len auto --kv-cache-memory-bytes 16G",
    json!({"max_model_len": -1, "kv_cache_memory_bytes": 17_179_869_184_u64}))]
#[case("vllm serve m --max-model-len 1 --speculative-config.method mtp --speculative-config.num_speculative_tokens 3",
    json!({"max_model_len": 1, "num_speculative_tokens": 3}))]
#[case("python3 -m sglang.launch_server --model-path Qwen/Qwen3-8B --tp 4 --mem-fraction-static 0.93 --context-length 4096 --disable-hybrid-swa-memory",
    json!({"context_length": 4096, "tp_size": 4, "mem_fraction_static": 0.93, "hybrid_swa": false}))]
fn a_pasted_line_is_understood(#[case] text: &str, #[case] expected: Value) {
    let mut engine = options(text);
    engine.as_object_mut().unwrap().remove("name");
    assert_eq!(engine, expected);
}

#[test]
fn what_is_left_is_named_with_its_reason() {
    let text =
        "vllm serve Qwen/Qwen3-8B --port 8000 --swap-space 4 --quantization fp8 --trust-remote-code extra";
    let reading = read(text).unwrap();
    let left: Vec<(&str, Why)> = reading.ignored.iter().map(|it| (it.flag.as_str(), it.why)).collect();
    let expected = [
        ("--port", Why::NotTheCache),
        // Gone since 0.1x: published lines still carry it.
        ("--swap-space", Why::Unknown),
        ("--quantization", Why::NotModelled),
        ("--trust-remote-code", Why::NotTheCache),
        ("extra", Why::Unknown),
    ];
    assert_eq!(left, expected);
    assert_eq!(reading.ignored[1].value.as_deref(), Some("4"));
    assert!(reading.ignored[1].says.contains("0.33.0"), "{}", reading.ignored[1].says);
}

#[test]
fn sglang_without_a_length_takes_the_models_own() {
    // SGLang 0.5.23, server_args.py: context_length None means the config.json's.
    let reading =
        read("python -m sglang.launch_server --model-path Qwen/Qwen3-8B --tp 2 --enable-dp-attention")
            .unwrap();
    assert_eq!(reading.request.context, Some(40_960));
    assert_eq!(reading.ignored[0].why, Why::NotModelled, "attention on fewer ranks is more memory a rank");
}

#[test]
fn a_service_of_a_compose_file_is_read() {
    // As https://docs.vllm.ai starts it, in a compose file's words, behind a service that is no engine.
    let text = "services:\n  ui:\n    image: ghcr.io/open-webui/open-webui:main\n  vllm:\n    image: vllm/vllm-openai:latest\n    command: --model Qwen/Qwen3-8B --max-model-len 32768\n";
    let reading = read(text).unwrap();
    assert_eq!(plan(&reading.request).unwrap().context.get(), 32_768);
    // llama.cpp's image takes all of it from variables.
    let text = "services:\n  llm:\n    image: ghcr.io/ggml-org/llama.cpp:server-cuda\n    environment:\n      LLAMA_ARG_MODEL: /models/Qwen3-8B-Q4_K_M.gguf\n      LLAMA_ARG_CTX_SIZE: 16384\n";
    let reading = read(text).unwrap();
    assert_eq!(reading.request.engine.unwrap().options["n_ctx"], json!(16_384));
}

#[test]
fn sglangs_pool_of_tokens_holds_so_many_full_requests() {
    let line = "sglang serve --model Qwen/Qwen3-8B --context-length 8192 --max-total-tokens 70950";
    assert_eq!(read(line).unwrap().request.sequences, Some(8));
    let line = format!("{line} --max-running-requests 4");
    assert_eq!(read(&line).unwrap().request.sequences, Some(4));
}

#[test]
fn a_modelfile_divides_the_context_by_the_slots() {
    let model = catalog::find("qwen3-8b").unwrap();
    let request =
        asked(Target::Ollama, "qwen3-8b", &json!({ "n_gpu_layers": 20 }), ("q8_0", "q8_0"), (8192, 2));
    let launch = export(Target::Ollama, model, &request, Some("./mine.gguf")).unwrap();
    let file = launch.file.as_ref().map(|file| file.text.as_str());
    assert_eq!(file, Some("FROM ./mine.gguf\nPARAMETER num_ctx 8192\nPARAMETER num_gpu 20\n"));
    let line = "OLLAMA_NUM_PARALLEL=2 OLLAMA_KV_CACHE_TYPE=q8_0 OLLAMA_FLASH_ATTENTION=1 ollama serve";
    assert_eq!(launch.line(), line);
    let uneven = asked(Target::Ollama, "qwen3-8b", &json!({}), ("q8_0", "f16"), (8192, 2));
    assert_eq!(export(Target::Ollama, model, &uneven, None).unwrap_err().field, "cache.v");
    let unified =
        asked(Target::Ollama, "qwen3-8b", &json!({ "kv_unified": true }), ("f16", "f16"), (8192, 2));
    assert_eq!(export(Target::Ollama, model, &unified, None).unwrap_err().field, "engine.kv_unified");
}

#[test]
fn without_a_length_vllm_takes_the_models_own() {
    let reading = read("vllm serve Qwen/Qwen3-8B").unwrap();
    assert_eq!(reading.request.context, Some(40_960));
}

#[test]
fn the_models_own_draft_layers_are_asked_for() {
    let reading = read(
        r#"vllm serve deepseek-ai/DeepSeek-V3 -sc '{"method": "deepseek_mtp", "num_speculative_tokens": 1}'"#,
    )
    .unwrap();
    assert_eq!(reading.request.mtp, 1);
}

#[test]
fn a_draft_model_and_the_types_of_its_cache_are_read_and_written_back() {
    let line = "llama-server -m Qwen3-8B-Q4_K_M.gguf -c 8192 -np 1 -md Qwen3-0.6B-Q8_0.gguf -ctkd q8_0 -ctvd q8_0 \
                -mm mmproj.gguf --lora x.gguf";
    let reading = read(line).unwrap();
    let extras = serde_json::to_value(&reading.request).unwrap()["extras"].clone();
    assert_eq!(extras, json!({ "draft": "qwen3-0.6b", "draft_cache": { "k": "q8_0", "v": "q8_0" } }));
    // 28 layers × 8 heads × 128 wide × (K and V), 34 bytes for 32 elements (Qwen/Qwen3-0.6B config.json).
    let plan = plan(&reading.request).unwrap();
    let cache = plan.extras.iter().find(|extra| extra.name == "draft cache").unwrap();
    assert_eq!(cache.bytes.get(), 8192 * 28 * 8 * 128 * 2 / 32 * 34);
    // How large these files are is not on the command line.
    let left: Vec<(&str, Why)> = reading.ignored.iter().map(|it| (it.flag.as_str(), it.why)).collect();
    assert_eq!(left, [("-mm", Why::NotModelled), ("--lora", Why::NotModelled)]);

    let model = resolve_model(&reading.request.model).unwrap();
    let launch = export(Target::LlamaCpp, &model, &reading.request, None).unwrap();
    assert_eq!(read(&launch.text()).unwrap().request, launch.request);
    assert_eq!(launch.request.extras, reading.request.extras);
}

#[test]
fn prediction_layers_that_draft_in_llama_cpp_are_read_and_written_back() {
    let line = "llama-server -m Qwen3.5-27B-Q4_K_M.gguf -c 8192 -np 1 --spec-type draft-mtp --spec-draft-n-max 2 -ctkd q8_0";
    let reading = read(line).unwrap();
    assert_eq!(reading.request.mtp, 1);
    let said = serde_json::to_value(&reading.request).unwrap();
    assert_eq!(said["engine"]["n_rs_seq"], 2);
    assert_eq!(said["extras"], json!({ "draft_cache": { "k": "q8_0" } }));
    let model = resolve_model(&reading.request.model).unwrap();
    let launch = export(Target::LlamaCpp, &model, &reading.request, None).unwrap();
    assert!(launch.line().contains("--spec-type draft-mtp --spec-draft-n-max 2"), "{}", launch.line());
    assert_eq!(read(&launch.text()).unwrap().request, launch.request);
    // A model without such layers, and drafting from n-grams, say why nothing is planned.
    for line in [
        "llama-server -m Qwen3-8B-Q4_K_M.gguf -c 8192 -np 1 --spec-type draft-mtp",
        "llama-server -m Qwen3.5-27B-Q4_K_M.gguf -c 8192 -np 1 --spec-type ngram-mod",
    ] {
        let reading = read(line).unwrap();
        assert_eq!((reading.request.mtp, reading.ignored[0].flag.as_str()), (0, "--spec-type"));
    }
}

#[rstest]
#[case(Target::Vllm, r#"vllm serve meta-llama/Llama-3.1-8B --max-model-len 8192 --max-num-seqs 2 --kv-cache-memory-bytes 9000000000 --speculative-config '{"model": "meta-llama/Llama-3.2-1B", "num_speculative_tokens": 3}'"#)]
#[case(
    Target::Sglang,
    "python -m sglang.launch_server --model-path meta-llama/Llama-3.1-8B --context-length 8192 --max-running-requests 2 --speculative-algorithm STANDALONE --speculative-draft-model-path meta-llama/Llama-3.2-1B"
)]
fn a_draft_beside_ranks_is_read_and_written_back(#[case] target: Target, #[case] line: &str) {
    let reading = read(line).unwrap();
    let extras = serde_json::to_value(&reading.request).unwrap()["extras"].clone();
    assert_eq!(extras, json!({ "draft": "llama-3.2-1b" }));
    let model = resolve_model(&reading.request.model).unwrap();
    let launch = export(target, &model, &reading.request, None).unwrap();
    assert!(launch.line().contains("meta-llama/Llama-3.2-1B"), "{}", launch.line());
    assert_eq!(read(&launch.text()).unwrap().request, launch.request);
    assert_eq!(launch.request.extras, reading.request.extras);
}

#[test]
fn vllms_slots_for_adapters_are_planned_beside_the_model() {
    let bytes = |flags: &str| {
        let line = format!("vllm serve meta-llama/Llama-3.1-8B --max-model-len 8192 {flags}");
        read(&line).unwrap().request.extras.map(|extras| extras.lora_bytes)
    };
    // Rank 16 on all projections of Llama-3.1-8B is 41,943,040 parameters, as every tuner of it prints; embeddings and
    // head take rank × (128,256 + 4,096) each.
    let (layers, ends) = (41_943_040, 2 * 16 * (128_256 + 4096));
    assert_eq!(bytes("--enable-lora"), Some(2 * (layers + ends)));
    assert_eq!(bytes("--enable-lora --max-loras 4 --max-lora-rank 64"), Some(16 * 2 * (layers + ends)));
    let attention = 32 * 16 * (4096 + 4096);
    assert_eq!(bytes("--enable-lora --lora-target-modules o_proj"), Some(2 * attention));
    // On two ranks each keeps the factor that is not split: of o_proj, 2,048 inputs and all outputs.
    let rank = 32 * 16 * (2048 + 4096);
    assert_eq!(bytes("--enable-lora --lora-target-modules o_proj -tp 2"), Some(2 * 2 * rank));
    assert_eq!(
        bytes("--enable-lora --lora-target-modules o_proj -tp 2 --fully-sharded-loras"),
        Some(2 * attention)
    );
    assert_eq!(bytes("--max-loras 4"), None);
    // A mixture's routed experts are wrapped otherwise.
    let reading = read("vllm serve Qwen/Qwen3-30B-A3B --max-model-len 8192 --enable-lora").unwrap();
    assert_eq!((reading.request.extras, reading.ignored[0].why), (None, Why::NotModelled));
}

#[test]
fn a_head_that_is_not_catalogued_is_a_layer_of_its_targets_attention() {
    let vllm = r#"vllm serve meta-llama/Llama-3.1-8B --max-model-len 8192 -sc '{"method": "eagle3", "model": "somebody/eagle3-head", "num_speculative_tokens": 3}'"#;
    let sglang = "sglang serve --model meta-llama/Llama-3.1-8B --context-length 8192 --speculative-algorithm EAGLE3 --speculative-draft-model-path somebody/eagle3-head";
    for line in [vllm, sglang] {
        let reading = read(line).unwrap();
        let with = plan(&reading.request).unwrap().kv.payload_bytes.get();
        let alone = Request { extras: None, ..reading.request.clone() };
        // 8 heads × 128 × (K and V) × 2 B, for 8,192 tokens: one layer of 32 more.
        let layer = 8 * 128 * 2 * 2 * 8192;
        assert_eq!(with - plan(&alone).unwrap().kv.payload_bytes.get(), layer, "{line}");
        assert!(reading.notes.iter().any(|note| note.contains("one layer")), "{:?}", reading.notes);
    }
}

#[test]
fn sglangs_slots_of_states_are_as_many_as_are_asked_for() {
    let line = "sglang serve --model Qwen/Qwen3.5-9B --tp-size 2 --context-length 8192 --max-running-requests 1 --max-mamba-cache-size ";
    let reading = read(&format!("{line}186")).unwrap();
    let role = kvplan_core::cache::Role::RecurrentState;
    let states = plan(&reading.request).unwrap().kv.by_role.get(role).unwrap().get();
    // A published log of two ranks: `max_mamba_cache_size: 186, …, ssm_state size: 4.38GB`; one slot more is of padding.
    assert_eq!(states.div_euclid((1 << 30) / 100), 438);
    let error = plan(&read(&format!("{line}1")).unwrap().request).unwrap_err();
    assert_eq!(error.field, "engine.max_mamba_cache_size");
}

#[test]
fn sglang_drafts_with_the_models_own_layers() {
    let line = "sglang serve --model deepseek-ai/DeepSeek-V3 --context-length 8192 --tp-size 8 --speculative-algorithm EAGLE";
    let reading = read(line).unwrap();
    assert_eq!(reading.request.mtp, 1);
    let model = resolve_model(&reading.request.model).unwrap();
    let launch = export(Target::Sglang, &model, &reading.request, None).unwrap();
    assert!(launch.line().contains("--speculative-algorithm NEXTN"), "{}", launch.line());
    assert_eq!(read(&launch.text()).unwrap().request, launch.request);
    let head = format!("{line}3 --speculative-draft-model-path somebody/a-head");
    let left = read(&head).unwrap().ignored;
    let left: Vec<&str> = left.iter().map(|it| it.flag.as_str()).collect();
    assert_eq!(left, ["--speculative-algorithm", "--speculative-draft-model-path"]);
}

#[test]
fn a_draft_that_is_not_catalogued_is_left_with_its_reason() {
    let line = "llama-server -m Qwen3-8B-Q4_K_M.gguf -c 8192 -np 1 -md nobody-knows-this.gguf -ctkd q8_0";
    let reading = read(line).unwrap();
    assert_eq!(reading.request.extras, None);
    let left: Vec<(&str, Why)> = reading.ignored.iter().map(|it| (it.flag.as_str(), it.why)).collect();
    assert_eq!(left, [("-ctkd", Why::NotModelled), ("-md", Why::NotModelled)]);
}

#[rstest]
#[case("llama-server -m x.gguf -c many", ErrorKind::Invalid, "-c")]
#[case("llama-server -m x.gguf -np 0", ErrorKind::Invalid, "-np")]
#[case("llama-server -m x.gguf -ctk q9", ErrorKind::Invalid, "engine.type_k")]
#[case("llama-server -c 4096", ErrorKind::MissingField, "model")]
#[case("llama-server -m", ErrorKind::Invalid, "-m")]
#[case("vllm serve 'm", ErrorKind::Invalid, "")]
#[case("ls -la", ErrorKind::Invalid, "")]
fn a_line_that_says_nothing_or_nonsense_is_refused(
    #[case] text: &str,
    #[case] kind: ErrorKind,
    #[case] field: &str,
) {
    let error = read(text).unwrap_err();
    assert_eq!((error.kind, error.field.as_str()), (kind, field));
}

#[test]
fn the_command_of_the_design_is_written() {
    let model = catalog::find("qwen3-8b").unwrap();
    let request = asked(
        Target::LlamaCpp,
        "qwen3-8b",
        &json!({ "n_gpu_layers": 99, "flash_attn": "on" }),
        ("f16", "f16"),
        (32768, 1),
    );
    let launch = export(Target::LlamaCpp, model, &request, Some("Qwen3-8B-Q4_K_M.gguf")).unwrap();
    assert_eq!(launch.line(), "llama-server -m Qwen3-8B-Q4_K_M.gguf -c 32768 -np 1 -fa on -ngl 99");
    assert!(launch.notes.iter().any(|note| note.contains("4 slots")), "{:?}", launch.notes);
    assert!(launch.text().starts_with("# llama.cpp 0c1e57098\n"));
}

#[test]
fn another_engine_and_options_without_a_flag_are_refused() {
    let model = catalog::find("qwen3-8b").unwrap();
    let request = asked(Target::Vllm, "qwen3-8b", &json!({}), ("f16", "f16"), (1, 1));
    assert_eq!(export(Target::LlamaCpp, model, &request, None).unwrap_err().field, "engine.name");
    let request = asked(Target::LlamaCpp, "qwen3-8b", &json!({ "n_outputs_max": 4 }), ("f16", "f16"), (1, 1));
    assert_eq!(export(Target::LlamaCpp, model, &request, None).unwrap_err().field, "engine.n_outputs_max");
    assert_eq!(EngineName::LlamaCpp, Target::LlamaCpp.engine());
}
