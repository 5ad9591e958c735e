//! Start-up logs that people published, set beside plans: every figure equal, or different for a reason that is named.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its log has failed")]

use flate2::read::GzDecoder;
use kvplan_core::launch::named_model;
use kvplan_core::plan::resolve_model;
use kvplan_core::reconcile::{Given, Reconciliation, Verdict, reconcile};
use rstest::rstest;
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::path::Path;

fn log(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/logs").join(file);
    std::fs::read_to_string(path).unwrap()
}

fn reconciled(text: &str, model: Option<&str>, options: Value) -> Reconciliation {
    let model = model.map(|name| resolve_model(&named_model(name)).unwrap());
    let options: Map<String, Value> = options.as_object().unwrap().clone();
    reconcile(text, &Given { model: model.as_deref(), options: Some(&options), mtp: 0 }).unwrap()
}

/// The figures that do not say `equal`, with what they say instead.
fn exceptions(found: &Reconciliation) -> Vec<(String, &'static str)> {
    let others = found.lines.iter().filter(|line| line.verdict != Verdict::Equal);
    others
        .map(|line| (line.figure.clone(), line.verdict.into()))
        .filter(|(_, verdict)| *verdict != "not-planned")
        .collect()
}

#[rstest]
#[case::metal("llama.cpp-8164-gpt-oss-20b.log", None, 14)]
#[case::four_slots("llama.cpp-7445-gemma-2-2b.log", None, 14)]
#[case::ollama("ollama-gemma-2-2b.log", Some("gemma-2-2b"), 14)]
#[case::hybrid_on_two_devices("llama.cpp-vulkan-qwen3.5-9b.log", Some("qwen3.5-9b"), 6)]
#[case::unified_windows("llama.cpp-gpt-oss-120b.log", Some("gpt-oss-120b"), 11)]
#[case::lm_studio("lmstudio-gpt-oss-120b.log", Some("gpt-oss-120b"), 12)]
#[case::vllm("vllm-0.19-qwen3-8b.log", None, 2)]
#[case::vllm_without_version("vllm-qwen3-0.6b.log", Some("qwen3-0.6b"), 3)]
#[case::vllm_v0("vllm-v0-llama-3.1-8b.log", Some("llama-3.1-8b"), 3)]
#[case::sglang_pages("sglang-qwen3-8b.log", None, 3)]
fn a_published_log_is_equal_in_every_figure(
    #[case] file: &str,
    #[case] model: Option<&str>,
    #[case] figures: usize,
) {
    let found = reconciled(&log(file), model, json!({}));
    assert_eq!(exceptions(&found), [], "{file}");
    assert_eq!(found.lines.iter().filter(|line| line.verdict == Verdict::Equal).count(), figures);
    assert!(found.agrees());
}

#[rstest]
// Started from a command line that stands above the figures: model, ranks and length are its.
#[case::command_above("vllm-0.10-qwen3-30b-a3b.log", None, 3, "")]
#[case::to_the_byte("vllm-ascend-qwen3-4b.log", None, 2, "")]
// Ranks print what each holds; the least counts for all.
#[case::ranks("vllm-0.10-qwen3-235b-a22b.log", Some("qwen3-235b-a22b"), 3, "ranks found different memory")]
#[case::both_in_a_line("vllm-qwen2.5-1.5b.log", Some("qwen2.5-1.5b"), 3, "")]
// What an excerpt leaves out, its figures tell.
#[case::older_blocks("vllm-0.19-gemma-4-26b-a4b.log", None, 3, "blocks of 16 tokens")]
#[case::unsaid_batch("vllm-gemma-3-1b.log", Some("gemma-3-1b"), 3, "its figures are those of 2048")]
#[case::unsaid_version("vllm-qwen3.5-35b-a3b-fp8.log", Some("qwen3.5-35b-a3b"), 3, "planned as 0.9 to 0.20")]
#[case::states("sglang-qwen3.5-9b.log", Some("qwen3.5-9b"), 4, "")]
#[case::tokens_apart("sglang-0.4-llama-3.1-8b.log", Some("llama-3.1-8b"), 3, "")]
#[case::unsaid_pages("sglang-diffusiongemma-26b-a4b.log", Some("gemma-4-26b-a4b"), 4, "pages of 256 tokens")]
#[case::unsaid_micro_batch("llama.cpp-hexagon-gpt-oss-20b.log", Some("gpt-oss-20b"), 13, "as 128 makes")]
#[case::unsaid_context("llama.cpp-wasi-llama-3.2-1b.log", Some("llama-3.2-1b"), 8, "")]
#[case::described_by_print_info("llama.cpp-6209-rpc-llama-3.1-70b.log", None, 9, "")]
fn what_a_log_leaves_out_is_found_beside_its_figures(
    #[case] file: &str,
    #[case] model: Option<&str>,
    #[case] figures: usize,
    #[case] note: &str,
) {
    let found = reconciled(&log(file), model, json!({}));
    let differs: Vec<_> = found.lines.iter().filter(|line| line.verdict == Verdict::Differs).collect();
    assert!(differs.is_empty(), "{file}: {differs:?}");
    assert_eq!(found.lines.iter().filter(|line| line.verdict == Verdict::Equal).count(), figures);
    assert!(note.is_empty() || found.notes.iter().any(|said| said.contains(note)), "{:?}", found.notes);
}

#[test]
fn ranks_are_counted_by_the_tags_of_their_lines() {
    let found = reconciled(&log("sglang-qwen3.5-9b.log"), Some("qwen3.5-9b"), json!({}));
    let options = found.request.engine.unwrap().options;
    assert_eq!(options["tp_size"], json!(2));
}

#[test]
fn a_draft_loaded_after_its_model_does_not_take_its_place() {
    let text = log("llama.cpp-8164-gpt-oss-20b.log");
    let draft = "llama_model_loader: loaded meta data with 30 key-value pairs and 311 tensors from draft.gguf (version GGUF V3 (latest))\n\
                 llama_model_loader: - kv   0:                       general.architecture str              = qwen3\n\
                 llama_model_loader: - kv   2:                               general.name str              = Qwen3 0.6B\n\
                 llama_model_loader: - kv   3:                          qwen3.block_count u32              = 28\n";
    let found = reconciled(&format!("{text}{draft}"), None, json!({}));
    assert_eq!(exceptions(&found), []);
    assert!(found.model.contains("20"), "{}", found.model);
}

#[test]
fn a_latent_stored_twice_is_an_older_versions() {
    // 27 layers of 512 + 64 elements over 4,096 cells, as versions before V-less caches kept DeepSeek-V2-Lite: the
    // sizes follow from https://github.com/ggml-org/llama.cpp/pull/19067, which took the second copy away.
    let text = "llama_kv_cache: size =  229.50 MiB (  4096 cells,  27 layers,  1/1 seqs), K (f16):  121.50 MiB, V (f16):  108.00 MiB";
    let found = reconciled(text, Some("deepseek-v2-lite"), json!({}));
    assert!(found.agrees(), "{:?}", found.lines);
    assert_eq!(
        exceptions(&found),
        [("kv: size".to_owned(), "explained"), ("kv: V (f16)".to_owned(), "explained")]
    );
    let wrong = reconciled(&text.replace("108.00", "107.00"), Some("deepseek-v2-lite"), json!({}));
    assert!(!wrong.agrees());
}

/// Lines of https://github.com/ollama/ollama/issues/9181, issues/8098 and pull/12000.
#[rstest]
#[case::seventy_billion(
    "llama-3.1-70b",
    81,
    "19.5 GiB",
    "--ctx-size 64000 --batch-size 512 --n-gpu-layers 44 --flash-attn --parallel 1"
)]
#[case::four_slots(
    "llama-3.2-3b",
    29,
    "896.0 MiB",
    "--ctx-size 8192 --batch-size 512 --n-gpu-layers 29 --parallel 4"
)]
#[case::windows(
    "gemma-3-12b",
    49,
    "992.0 MiB",
    "--ctx-size 8192 --batch-size 512 --n-gpu-layers 48 --parallel 1"
)]
fn what_ollamas_scheduler_estimates_of_a_cache_is_equal(
    #[case] model: &str,
    #[case] layers: u64,
    #[case] kv: &str,
    #[case] arguments: &str,
) {
    let text = format!(
        "time=2025-02-18T02:21:25.646Z level=INFO source=server.go:130 msg=offload library=cuda layers.requested=-1 \
         layers.model={layers} layers.split=\"\" memory.required.full=\"127.4 GiB\" memory.required.kv=\"{kv}\" \
         memory.weights.total=\"87.3 GiB\"\n\
         level=INFO source=server.go:380 msg=\"starting llama server\" cmd=\"ollama runner {arguments}\""
    );
    let found = reconciled(&text, Some(model), json!({}));
    assert_eq!((exceptions(&found), found.program), (vec![], Some("Ollama")));
    let equal = found.lines.iter().filter(|line| line.verdict == Verdict::Equal).count();
    assert_eq!((equal, found.lines.len()), (2, 4), "layers and cache; what is of the file is not planned");
    let wrong = reconciled(&text.replace("--ctx-size ", "--ctx-size 1"), Some(model), json!({}));
    assert!(!wrong.agrees());
}

#[test]
fn ollamas_scheduler_counted_quantized_caches_without_their_scales() {
    // llama-3.1-8b at 8192 tokens: 512 MiB of one byte an element; q8_0 takes 34 bytes for 32 of them.
    let text = "msg=offload layers.model=33 memory.required.kv=\"512.0 MiB\"\n\
                msg=\"starting llama server\" cmd=\"runner --ctx-size 8192 --kv-cache-type q8_0 --flash-attn\"";
    let found = reconciled(text, Some("llama-3.1-8b"), json!({}));
    assert_eq!(exceptions(&found), [("scheduler: memory.required.kv".to_owned(), "explained")]);
    assert!(found.agrees());
    let other = reconciled(&text.replace("512.0", "513.0"), Some("llama-3.1-8b"), json!({}));
    assert!(!other.agrees());
}

#[rstest]
#[case::on_the_host("ollama-runner-tinyllama.log", Some("tinyllama-1.1b-v1.0"), 2048, "q8_0")]
#[case::llama_cpp_inside("ollama-runner-qwen2.5-coder-7b.log", Some("qwen2.5-coder-7b"), 32_768, "q8_0")]
fn the_memory_that_ollamas_runner_prints_is_equal(
    #[case] file: &str,
    #[case] model: Option<&str>,
    #[case] tokens: u64,
    #[case] another: &str,
) {
    let text = log(file);
    let found = reconciled(&text, model, json!({}));
    assert_eq!((exceptions(&found), found.program), (vec![], Some("Ollama")));
    let options = &found.request.engine.as_ref().unwrap().options;
    assert_eq!(options["n_ctx"], json!(tokens));
    let wrong =
        reconciled(&text.replace("KvCacheType: ", &format!("KvCacheType:{another} ")), model, json!({}));
    assert!(!wrong.agrees());
}

#[test]
fn ollamas_own_engine_keeps_earlier_states_of_a_hybrid() {
    let text = log("ollama-runner-qwen3-coder-next.log");
    let found = reconciled(&text, Some("qwen3-coder-next"), json!({}));
    assert_eq!(exceptions(&found), [("runner: kv cache".to_owned(), "explained")]);
    assert_eq!(found.lines[0].printed, "955.2 MiB + 1.3 GiB");
    let wrong = reconciled(&text.replace("955.2", "655.2"), Some("qwen3-coder-next"), json!({}));
    assert!(!wrong.agrees());
}

#[test]
fn sglang_on_four_ranks_is_equal_once_the_ranks_are_named() {
    // The command says `--tp 4`; the quoted line does not.
    let text = log("sglang-qwen3-235b.log");
    let found = reconciled(&text, Some("qwen3-235b-a22b"), json!({ "tp_size": 4 }));
    assert_eq!(exceptions(&found), []);
    let wrong = reconciled(&text, Some("qwen3-235b-a22b"), json!({}));
    assert!(!wrong.agrees(), "one rank would hold twice as many heads");
}

#[test]
fn sglangs_two_pools_are_compared_each_with_its_own_layers() {
    let given = json!({ "tp_size": 4 });
    let found = reconciled(&log("sglang-mimo-v2-flash.log"), Some("mimo-v2-flash"), given.clone());
    assert_eq!(exceptions(&found), []);
    let figures: Vec<&str> = found.lines.iter().map(|line| line.figure.as_str()).collect();
    assert_eq!(figures, ["swa: K size", "swa: V size", "full: K size", "full: V size"]);
    // Quoted in https://github.com/sgl-project/sglang/pull/18039, of the same model with pages of 64: a ratio of 0.8.
    let text = "Use sliding window memory pool. full_layer_tokens=375360, swa_layer_tokens=300288\n\
                [2026-01-31 13:50:39 TP1] KV Cache is allocated. #tokens: 300288, K size: 8.38 GB, V size: 5.59 GB";
    let found = reconciled(text, Some("mimo-v2-flash"), json!({ "tp_size": 4, "page_size": 64 }));
    assert_eq!(exceptions(&found), []);
    let wrong = reconciled(&text.replace("8.38", "8.39"), Some("mimo-v2-flash"), given);
    assert!(!wrong.agrees());
}

#[test]
fn an_older_windowed_cache_is_explained() {
    let found = reconciled(&log("llama.cpp-vulkan-gpt-oss-20b.log"), Some("gpt-oss-20b"), json!({}));
    let explained: Vec<String> = exceptions(&found).into_iter().map(|(figure, _)| figure).collect();
    assert_eq!(explained, ["swa: cells", "swa: size", "swa: K (f16)", "swa: V (f16)", "KV buffers, Vulkan0"]);
    assert!(found.agrees());
    assert!(
        found.lines.iter().any(|line| line.says.as_deref().is_some_and(|says| says.contains("32 cells")))
    );
}

#[test]
fn what_is_left_of_a_block_is_explained_and_the_versions_own_rule_is_named() {
    let found = reconciled(&log("vllm-0.17-qwen3.5-35b-a3b.log"), None, json!({}));
    assert_eq!(exceptions(&found), [("KV cache memory".to_owned(), "explained")]);
    assert_eq!(found.version.as_deref(), Some("0.17.1rc1.dev126+gbc2c0c86e"));
    assert!(found.notes.iter().any(|note| note.contains("checkpoints")), "{:?}", found.notes);
    assert!(found.notes.iter().any(|note| note.contains("284 blocks")), "{:?}", found.notes);
}

#[rstest]
#[case("llama.cpp-8164-gpt-oss-20b.log", "3072.00 MiB (131072", "3071.00 MiB (131072")]
#[case("llama.cpp-8164-gpt-oss-20b.log", "12 layers", "13 layers")]
#[case("llama.cpp-7445-gemma-2-2b.log", "output buffer size =     3.91", "output buffer size =     3.92")]
#[case("llama.cpp-vulkan-qwen3.5-9b.log", "S (f32):   48.00", "S (f32):   47.99")]
#[case("vllm-0.19-qwen3-8b.log", "389,888", "389,889")]
#[case("vllm-qwen3-0.6b.log", "21.89x", "21.88x")]
#[case("sglang-qwen3-8b.log", "K size: 68.18", "K size: 68.17")]
fn a_figure_changed_in_its_last_digit_differs(#[case] file: &str, #[case] from: &str, #[case] to: &str) {
    let model = match file {
        "llama.cpp-vulkan-qwen3.5-9b.log" => Some("qwen3.5-9b"),
        "vllm-qwen3-0.6b.log" => Some("qwen3-0.6b"),
        _ => None,
    };
    let text = log(file);
    assert!(text.contains(from), "{from}");
    let found = reconciled(&text.replacen(from, to, 1), model, json!({}));
    assert!(!found.agrees(), "{:?}", found.lines);
}

#[test]
fn a_dry_run_before_the_real_one_and_a_draft_after_it_do_not_count() {
    let text = log("llama.cpp-8164-gpt-oss-20b.log");
    let start = text.find("llama_context: constructing").unwrap();
    let dry: String =
        text[start..].lines().filter(|l| !l.contains("size = ")).map(|l| format!("{l}\n")).collect();
    let dry = format!("{dry}llama_kv_cache:       MTL0 KV buffer size =     0.00 MiB\n");
    let draft = "llama_context: constructing llama_context\nllama_context: n_seq_max = 1\nllama_context: n_ctx = 4096\n\
                 llama_kv_cache: size =   16.00 MiB (  4096 cells,   1 layers,  1/1 seqs), K (f16):    8.00 MiB, V (f16):    8.00 MiB\n";
    let found = reconciled(&format!("{}{dry}{}{draft}", &text[..start], &text[start..]), None, json!({}));
    assert_eq!(exceptions(&found), []);
}

#[test]
fn a_log_without_a_model_asks_for_one_and_other_text_is_refused() {
    let given = Given::default();
    assert_eq!(reconcile(&log("llama.cpp-gpt-oss-120b.log"), &given).unwrap_err().field, "model");
    assert!(reconcile("hello\nworld", &given).unwrap_err().message.contains("no start-up log"));
}

/// Rows that no catalogued model can be set beside.
const SGLANG_WITHOUT_MODEL: [(&str, &str); 3] = [
    ("sglang-log/0276", "LFM2-700M is not catalogued"),
    ("sglang-log/0277", "the model is not named"),
    ("sglang-log/0275", "a model of a family, not one"),
];

#[test]
fn every_published_sglang_pool_is_equal() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/truth/engines/logs.sglang.jsonl.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let mut equal = 0;
    for row in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let id = row["id"].as_str().unwrap();
        if SGLANG_WITHOUT_MODEL.iter().any(|(known, _)| *known == id) {
            continue;
        }
        let name = row["model"].as_str().unwrap();
        let name = match id {
            "sglang-log/0261" => "qwen3-235b-a22b",
            "sglang-log/0267" => "qwen2.5-0.5b",
            _ => name.split(" (").next().unwrap(),
        };
        let result = &row["result"];
        let sizes = if result["kv_size_gib_logged"].is_null() {
            format!(
                "K size: {:.2} GB, V size: {:.2} GB",
                result["k_size_gib_logged"].as_f64().unwrap(),
                result["v_size_gib_logged"].as_f64().unwrap()
            )
        } else {
            format!("KV size: {:.2} GB", result["kv_size_gib_logged"].as_f64().unwrap())
        };
        let line = format!("KV Cache is allocated. #tokens: {}, {sizes}", result["kv_tokens"]);
        let options =
            json!({ "tp_size": row["params"]["tp_size"], "kv_cache_dtype": row["params"]["kv_cache_dtype"] });
        let found = reconciled(&line, Some(name), options);
        assert_eq!(exceptions(&found), [], "{id}");
        equal += 1;
    }
    assert_eq!(equal, 7);
}
