//! How many conversations are held: published log figures, blocks counted by hand, and what must hold for any of them.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use kvplan_core::engine::Report;
use kvplan_core::placement::BoundBy;
use kvplan_core::plan::{LengthShown, Plan, Request, ServingShown, plan};
use proptest::prelude::*;
use serde_json::{Value, json};

fn planned(request: &Value) -> Plan {
    plan(&Request::from_value(request).unwrap()).unwrap()
}

fn serving(request: &Value) -> ServingShown {
    planned(request).serving.unwrap()
}

/// Qwen3-8B in vLLM: blocks of 16 tokens, 2,359,296 B each (vLLM 0.33's own planner).
fn qwen(blocks: u64, context: u64, workload: &Value) -> Value {
    json!({
        "model": "qwen3-8b", "context": context, "workload": workload,
        "engine": { "name": "vllm", "num_gpu_blocks_override": blocks, "max_num_seqs": 1_000_000 }
    })
}

#[test]
fn a_published_pool_holds_the_conversations_its_log_prints() {
    // vLLM's log of DeepSeek-V4-Flash: 77.53 GiB, 1,513,358 tokens, 11.55x of 131,072; 83,062 blocks, 7,194 a request.
    let plan = planned(&json!({
        "model": "deepseek-v4-flash", "context": 131_072,
        "engine": { "name": "vllm", "num_gpu_blocks_override": 83_062 },
        "workload": { "typical_context": 131_072 }
    }));
    let Report::Vllm(report) = &plan.kv.engine_report else { unreachable!("vLLM reports as vLLM") };
    assert_eq!(report.kv_cache_tokens, Some(1_513_358));
    let serving = plan.serving.unwrap();
    assert_eq!((serving.full.conversations, serving.full.bound_by), (Some(11), Some(BoundBy::Memory)));
    // What is typical is the full length, and nothing is shared: the same number.
    assert_eq!(serving.typical.unwrap(), serving.full);
    assert_eq!(serving.full.bytes_each.get(), 7_194 * 1_002_240);
}

#[test]
fn a_common_beginning_is_kept_once_in_whole_blocks() {
    // 4,096 tokens are 256 blocks. Of 1,000 common tokens 62 whole blocks are found: 194 are each conversation's own.
    // The pool's first block is the null block.
    let workload = json!({ "typical_context": 4096, "shared_prefix": 1000 });
    let typical = serving(&qwen(10_000, 4096, &workload)).typical.unwrap();
    assert_eq!(typical.shared_tokens, 62 * 16);
    assert_eq!(typical.shared_bytes.get(), 62 * 2_359_296);
    assert_eq!(typical.bytes_each.get(), 194 * 2_359_296);
    assert_eq!(typical.conversations, Some((9_999 - 62) / 194));
    // Without it: 256 each.
    assert_eq!(serving(&qwen(10_000, 4096, &json!({}))).full.conversations, Some(9_999 / 256));
    // Tokens that are all the same still leave the last block to be computed.
    let all = serving(&qwen(10_000, 4096, &json!({ "shared_prefix": 4096 }))).full;
    assert_eq!((all.shared_tokens, all.conversations), (4080, Some(9_999 - 255)));
    // Without prefix caching nothing is shared.
    let mut off = qwen(10_000, 4096, &workload);
    off["engine"]["enable_prefix_caching"] = json!(false);
    assert_eq!(serving(&off).typical.unwrap().conversations, Some(39));
}

#[test]
fn a_window_moves_on_from_a_common_beginning_and_only_full_layers_share_it() {
    // gpt-oss-20b: two groups of 12 layers, full and a window of 128 with 2 × 8,192 tokens in flight. 32,768 tokens are
    // 2,048 + 1,033 blocks (27,306 of them print 8.86x). Of 4,096 common tokens the full group shares 256 blocks, and
    // the eight before their end stay in the window's group, so that the next request finds it.
    let serving = serving(&json!({
        "model": "gpt-oss-20b", "context": 32_768,
        "engine": { "name": "vllm", "num_gpu_blocks_override": 27_306 },
        "workload": { "typical_context": 32_768, "shared_prefix": 4096 }
    }));
    let block = 393_216;
    let typical = serving.typical.unwrap();
    assert_eq!(typical.shared_bytes.get(), (256 + 8) * block);
    assert_eq!(typical.bytes_each.get(), (2048 - 256 + 1033) * block);
    assert_eq!(typical.conversations, Some((27_305 - 264) / 2825));
}

#[test]
fn conversations_that_only_generate_keep_no_prompt_in_flight() {
    // gpt-oss-20b: a request is 2,048 + 1,033 blocks (vLLM 0.33's own planner). Once its prompt is read, the window of
    // 128 with two steps of a token in flight takes ⌈129 / 16⌉ + 1 = 10 blocks; one prompt still takes 1,023 more.
    let request = |drafted: u64| {
        json!({
            "model": "gpt-oss-20b", "context": 32_768,
            "engine": { "name": "vllm", "num_gpu_blocks_override": 27_306, "num_speculative_tokens": drafted }
        })
    };
    let full = serving(&request(0)).full;
    assert_eq!((full.conversations, full.settled), (Some(8), Some((27_305 - 1023) / 2058)));
    // 127 + 2 × 16 tokens are ⌈159 / 16⌉ + 1 = 11 blocks.
    assert_eq!(serving(&request(15)).full.settled, Some((27_305 - 1022) / 2059));
    // Full attention keeps as much of both.
    assert_eq!(serving(&qwen(10_000, 4096, &json!({}))).full.settled, None);
}

#[test]
fn a_tier_behind_the_cache_keeps_whole_objects_of_whoever_keeps_it() {
    let tiers = |request: &Value| serving(request).tiers;
    // vLLM: blocks of both ranks, 2,359,296 B in all (Qwen3-8B); 32,768 tokens find 2,047 of them again.
    let mut vllm = json!({
        "model": "qwen3-8b", "context": 32_768, "engine": { "name": "vllm" }, "placement": { "tp": 2 },
        "workload": { "host_tier_bytes": 256u64 << 30, "disk_tier_bytes": 1_000_000_000_000u64 }
    });
    let found = tiers(&vllm);
    let rules: Vec<(&str, &str)> = found.iter().map(|tier| (tier.name, tier.rule)).collect();
    assert_eq!(
        rules,
        [("host", "vllm/kv-offloading"), ("host", "lmcache/chunks"), ("disk", "lmcache/chunks")]
    );
    let blocks = (256u64 << 30) / 2_359_296;
    assert_eq!(
        (found[0].objects, found[0].objects_each, found[0].conversations),
        (blocks, 2047, blocks / 2047)
    );
    // LMCache: 256 tokens of 36 layers × 8 heads × 128 × (K and V) × 2 B on two ranks, aligned already.
    let chunk = 256 * 36 * 8 * 128 * 2 * 2;
    assert_eq!((found[1].object_bytes.get(), found[1].objects_each), (chunk, 128));
    assert_eq!(found[2].conversations, 1_000_000_000_000 / chunk / 128);
    // Of a window only what reaches back from the end is looked for again: gpt-oss-20b has two groups of 12 layers.
    vllm["model"] = json!("gpt-oss-20b");
    let found = tiers(&vllm);
    assert_eq!((found.len(), found[0].objects_each), (1, 2047 + 8));
    // SGLang counts tokens: 131,072 B each (Llama-3.1-8B).
    let sglang = json!({
        "model": "llama-3.1-8b", "context": 8192, "engine": { "name": "sglang" },
        "workload": { "host_tier_bytes": 100_000_000_000u64 }
    });
    let found = tiers(&sglang);
    assert_eq!((found[0].objects, found[0].object_bytes.get()), (100_000_000_000 / 131_072, 131_072));
    // llama.cpp keeps states of whole prompts, which are not modelled.
    let llama = json!({ "model": "llama-3.1-8b", "context": 8192, "engine": { "name": "llama.cpp" },
                        "workload": { "host_tier_bytes": 1 } });
    let error = plan(&Request::from_value(&llama).unwrap()).unwrap_err();
    assert_eq!((<&str>::from(error.kind), error.field.as_str()), ("unsupported", "workload.host_tier_bytes"));
}

#[test]
fn a_state_is_each_conversations_own_and_one_more_stays_at_the_end_of_the_beginning() {
    let request = |shared: u64| {
        json!({
            "model": "qwen3.6-27b", "context": 65_536, "workload": { "shared_prefix": shared },
            "engine": { "name": "vllm", "kv_cache_memory_bytes": 40u64 << 30 }
        })
    };
    let plan = planned(&request(40_000));
    let Report::Vllm(report) = &plan.kv.engine_report else { unreachable!("vLLM reports as vLLM") };
    // 16 full layers in one group, 48 states in three; all blocks cover the same tokens.
    let states = report.groups.iter().filter(|group| group.kind == "MambaSpec").count();
    assert_eq!((report.groups.len(), states), (4, 3));
    let some = plan.serving.as_ref().unwrap().full.clone();
    assert_eq!(some.shared_tokens, 40_000 / report.block_size * report.block_size);
    assert_eq!(some.shared_bytes.get(), (40_000 / report.block_size + 3) * report.bytes_per_block);
    let none = serving(&request(0)).full;
    assert_eq!((none.shared_tokens, none.shared_bytes.get()), (0, 0));
    assert_eq!(
        none.bytes_each.get() - some.bytes_each.get(),
        40_000 / report.block_size * report.bytes_per_block
    );
}

#[test]
fn sglang_shares_pages_and_trtllm_blocks() {
    // Llama-3.1-8B in bf16: 131,072 B a token. 100,000 tokens of memory, pages of one token.
    let sglang = serving(&json!({
        "model": "llama-3.1-8b", "context": 8192,
        "engine": { "name": "sglang", "kv_memory_bytes": 131_072u64 * 100_000 },
        "workload": { "shared_prefix": 5000 }
    }));
    assert_eq!(sglang.full.conversations, Some((100_000 - 5000) / (8192 - 5000)));
    // Blocks of 32: 156 of them whole in 5,000 tokens, 256 in 8,192.
    let trtllm = serving(&json!({
        "model": "llama-3.1-8b", "context": 8192,
        "engine": { "name": "tensorrt-llm", "dtype": "bf16", "free_memory_bytes": 131_072u64 * 32 * 3000,
                    "free_gpu_memory_fraction": 1.0 },
        "workload": { "shared_prefix": 5000 }
    }));
    assert_eq!(trtllm.full.conversations, Some((3000 - 156) / (256 - 156)));
}

#[test]
fn a_slot_of_llama_cpp_reserves_its_full_length_whatever_is_in_it() {
    // Qwen3-8B in f16: 147,456 B a token, so 16 GiB hold 7 slots of 16,384 and not 8.
    let of = |unified: bool| {
        serving(&json!({
            "model": "qwen3-8b", "context": 16_384, "hardware": [{ "device": "card", "memory_bytes": 17_179_869_184u64 }],
            "engine": { "name": "llama.cpp", "kv_unified": unified },
            "reserve": { "compute_bytes": 0 },
            "workload": { "typical_context": 2048, "shared_prefix": 1024 }
        }))
    };
    let slots = of(false);
    assert_eq!((slots.full.conversations, slots.rule), (Some(7), "llama.cpp/no-sharing"));
    assert_eq!(slots.typical.unwrap().conversations, Some(7));
    // One pool for all slots: eight times as many of an eighth of the length, and still nothing is shared.
    let pool = of(true);
    assert_eq!(pool.full.conversations, Some(7));
    let typical = pool.typical.unwrap();
    assert_eq!((typical.conversations, typical.shared_tokens), (Some(17_179_869_184 / (147_456 * 2048)), 0));
}

#[test]
fn sessions_take_whole_copies_of_the_placement() {
    let serving = serving(&json!({
        "model": "deepseek-v4-flash", "context": 1_048_576, "weights": { "bytes": 160_000_000_000u64 },
        "hardware": [{ "device": "h200-sxm-141gb", "count": 8 }], "placement": { "tp": 8, "ep": 8 },
        "engine": { "name": "vllm" },
        "workload": { "typical_context": 180_000, "p95_context": 700_000, "shared_prefix": 40_000, "sessions": 2000 }
    }));
    assert_eq!((serving.devices, serving.sessions), (8, Some(2000)));
    let mut last = u64::MAX;
    for (name, length) in serving.lengths() {
        let (held, copies) = (length.conversations.unwrap(), length.replicas.unwrap());
        assert!(held * copies >= 2000 && held * (copies - 1) < 2000, "{name} {length:?}");
        assert_eq!(length.shared_tokens, 40_000 / 256 * 256);
        if name == "full" {
            last = held;
        } else {
            assert!(held > last, "{name} is shorter than the full length");
        }
    }
}

#[test]
fn without_memory_a_conversation_is_weighed_and_none_is_counted() {
    let workload = json!({ "typical_context": 1024 });
    let plan = planned(
        &json!({ "model": "qwen3-8b", "context": 4096, "workload": workload, "engine": { "name": "vllm" } }),
    );
    let serving = plan.serving.unwrap();
    let typical = serving.typical.unwrap();
    assert_eq!((typical.conversations, typical.bytes_each.get()), (None, 64 * 2_359_296));
    assert!(plan.assumptions.iter().any(|a| a.contains("is not known")), "{:?}", plan.assumptions);
}

#[test]
fn a_length_above_the_context_is_counted_as_the_context_and_said() {
    let plan = planned(&qwen(10_000, 4096, &json!({ "typical_context": 9000 })));
    assert_eq!(plan.serving.unwrap().typical.unwrap().context, 4096);
    assert!(plan.assumptions.iter().any(|a| a.contains("typical_context 9,000")), "{:?}", plan.assumptions);
}

/// The windows of gemma-3 (52 of 62 layers) keep all of a short beginning, which every conversation has soon left behind: kept once it
/// weighs 119 MB, and spares each of four 17 MB of the ten full layers.
#[test]
fn a_beginning_that_weighs_more_than_it_spares_is_given_up() {
    let of = |shared| on_a_card("vllm", "gemma-3-27b", 51 << 30, 38_673, shared);
    assert_eq!((of(208).conversations, of(208).shared_tokens), (Some(4), 0));
    assert_eq!(of(20_000).shared_tokens, 20_000);
}

/// Engines with a pool, and models of every kind they take.
fn pooled() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("vllm", "qwen3-8b"),
        ("vllm", "gpt-oss-20b"),
        ("vllm", "gemma-3-27b"),
        ("vllm", "qwen3.6-27b"),
        ("vllm", "deepseek-v3.2"),
        ("vllm", "deepseek-v4-flash"),
        ("vllm", "llama-4-scout-17b-16e"),
        ("sglang", "qwen3-8b"),
        ("sglang", "gpt-oss-20b"),
        ("sglang", "qwen3.6-27b"),
        ("tensorrt-llm", "qwen3-8b"),
        ("payload", "gemma-3-27b"),
        ("payload", "deepseek-v4-flash"),
        ("exllamav3", "qwen3-8b"),
        ("llama.cpp", "gpt-oss-20b"),
    ])
}

fn on_a_card(engine: &str, model: &str, memory: u64, context: u64, shared: u64) -> LengthShown {
    serving(&json!({
        "model": model, "context": context, "engine": { "name": engine },
        "hardware": [{ "device": "card", "memory_bytes": memory }],
        "workload": { "shared_prefix": shared, "typical_context": context }
    }))
    .full
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// What is typical is the full length where it is as long; more in common never holds fewer, and never so many that
    /// their own parts and the common one would not fit.
    #[test]
    fn what_is_shared_makes_room_and_no_more_than_it_weighs(
        (engine, model) in pooled(), gib in 8u64..160, context in 2_000u64..100_000, shared in 0u64..60_000,
    ) {
        let memory = gib << 30;
        let (none, some) = (on_a_card(engine, model, memory, context, 0), on_a_card(engine, model, memory, context, shared));
        prop_assert!(some.shared_tokens <= shared.min(context));
        prop_assert!(some.conversations >= none.conversations, "{some:?} {none:?}");
        prop_assert!(some.bytes_each <= none.bytes_each);
        let held = some.conversations.unwrap();
        prop_assert!(held == 0 || u128::from(held) * u128::from(some.bytes_each.get()) <= u128::from(memory), "{some:?}");
    }

    /// The most that a pool of given size holds is what vLLM prints, its null block apart.
    #[test]
    fn vllm_holds_the_concurrency_it_prints_but_for_the_null_block(
        model in prop::sample::select(vec!["qwen3-8b", "gpt-oss-20b", "gemma-3-27b", "qwen3.6-27b", "deepseek-v3.2"]),
        gib in 4u64..200, context in 1_000u64..60_000,
    ) {
        let request = Request::from_value(&json!({
            "model": model, "context": context,
            "engine": { "name": "vllm", "kv_cache_memory_bytes": gib << 30, "max_num_seqs": 1_000_000_000u64 }
        })).unwrap();
        let Ok(plan) = plan(&request) else { return Ok(()) };
        let Report::Vllm(report) = &plan.kv.engine_report else { unreachable!("vLLM reports as vLLM") };
        let printed = report.max_concurrency.unwrap();
        let held = plan.serving.unwrap().full.conversations.unwrap();
        let exact = printed.fract() == 0.0;
        prop_assert_eq!((held + u64::from(exact)).to_string(), printed.floor().to_string(), "{} {}", printed, held);
    }
}
