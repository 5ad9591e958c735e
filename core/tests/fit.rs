//! The inverse, held against trying everything: what is found fits, and one more does not.
#![expect(clippy::unwrap_used, clippy::panic, reason = "an answer that cannot be read has failed")]

use kvplan_core::fit::{Found, Largest, Obstacle, Outcome, Unknown, largest};
use kvplan_core::placement::{BoundBy, State};
use kvplan_core::plan::{Plan, Request, plan, resolve_model};
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

const GIB: u64 = 1 << 30;

fn request(json: &Value) -> Request {
    Request::from_value(json).unwrap()
}

fn ask(json: &Value, unknown: Unknown) -> Largest {
    let request = request(json);
    largest(&request, &resolve_model(&request.model).unwrap(), unknown).unwrap()
}

fn found(answer: &Largest) -> &Found {
    answer.found().unwrap_or_else(|| panic!("{answer:#?}"))
}

fn nothing(answer: Largest) -> Obstacle {
    match answer.outcome {
        Outcome::Nothing(obstacle) => *obstacle,
        Outcome::Found(_) | Outcome::Unbounded => panic!("{answer:#?}"),
    }
}

#[test]
fn the_longest_context_and_the_bytes_of_one_token_more() {
    // Llama 3.1 8B keeps 32 layers × 8 heads × 128 × 2 × 2 B = 131,072 B a token, in llama.cpp 256 cells at a time.
    let answer = ask(
        &json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp" }, "weights": { "bytes": 8 * GIB },
                 "hardware": [{ "device": "bench", "memory_bytes": 12 * GIB + 5 }] }),
        Unknown::Context,
    );
    let found = found(&answer);
    assert_eq!(
        (found.count(), found.bound_by, found.spare_bytes),
        (Some(32_768), Some(BoundBy::Memory), Some(5))
    );
    assert_eq!(found.request.context, Some(32_768));
    let beyond = found.beyond.as_ref().unwrap();
    assert_eq!(beyond.over_bytes, Some(256 * 131_072 - 5));
    assert_eq!(beyond.device.as_deref(), Some("bench"));
}

#[test]
fn the_most_conversations_of_a_length() {
    // 4 GiB each.
    let asked = json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp" }, "context": 32_768,
                        "hardware": [{ "device": "bench", "memory_bytes": 31 * GIB }] });
    let answer = ask(&asked, Unknown::Sequences);
    let seven = found(&answer);
    assert_eq!((seven.count(), seven.bound_by), (Some(7), Some(BoundBy::Memory)));
    assert_eq!(seven.beyond.as_ref().unwrap().over_bytes, Some(GIB));
    assert_eq!(plan(&seven.request).unwrap().fit.state, State::Fits);
}

/// vLLM's block of 16 tokens of Qwen3-8B is 16 × 147,456 B; 16 GiB hold 7,281 of them, one of them the null block, and a
/// sequence of 32,768 tokens takes 2,048: three fit. Its own log says 7281 / 2048 = 3.56x.
#[test]
fn a_pool_of_fixed_size_needs_no_device() {
    let asked = json!({ "model": "qwen3-8b", "context": 32_768,
                        "engine": { "name": "vllm", "kv_cache_memory_bytes": 16 * GIB } });
    let answer = ask(&asked, Unknown::Sequences);
    assert_eq!(found(&answer).count(), Some(3));
    assert_eq!(found(&answer).beyond.as_ref().unwrap().holds, Some(3));
    assert_eq!(found(&answer).state, None);
}

#[test]
fn an_engines_own_limit_is_named_as_what_binds() {
    let asked = json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp" }, "context": 256,
                        "hardware": [{ "device": "b200-sxm-180gb" }] });
    let answer = ask(&asked, Unknown::Sequences);
    let most = found(&answer);
    assert_eq!((most.count(), most.bound_by), (Some(256), Some(BoundBy::Engine)));
    assert!(
        most.beyond
            .as_ref()
            .unwrap()
            .refused
            .as_deref()
            .is_some_and(|why| why.contains("n_seq_max must be <= 256"))
    );
    let asked = json!({ "model": "qwen3-8b", "engine": { "name": "vllm", "max_num_seqs": 12 }, "context": 256,
                        "hardware": [{ "device": "b200-sxm-180gb" }] });
    let answer = ask(&asked, Unknown::Sequences);
    assert_eq!((found(&answer).count(), found(&answer).bound_by), (Some(12), Some(BoundBy::Engine)));
}

#[test]
fn what_does_not_fit_at_all_says_by_how_much_and_what_is_there() {
    let asked = json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp" }, "weights": { "bytes": 9 * GIB },
                        "hardware": [{ "device": "bench", "memory_bytes": 8 * GIB }] });
    let obstacle = nothing(ask(&asked, Unknown::Context));
    assert_eq!(obstacle.bound_by, BoundBy::Memory);
    assert_eq!(obstacle.over_bytes, Some(GIB + 256 * 131_072));
    assert_eq!(obstacle.weights_bytes.map(|b| b.get()), Some(9 * GIB));
    assert_eq!(obstacle.usable_bytes, Some(8 << 30));
}

#[test]
fn what_the_engine_refuses_at_any_length_is_said_in_its_words() {
    let asked = json!({ "model": "llama-3.1-8b", "cache": { "v": "q8_0" },
                        "engine": { "name": "llama.cpp", "flash_attn": "off" },
                        "hardware": [{ "device": "rtx-5090" }] });
    for unknown in [Unknown::Context, Unknown::Sequences] {
        let obstacle = nothing(ask(&asked, unknown));
        assert_eq!(obstacle.bound_by, BoundBy::Engine);
        assert!(obstacle.refused.as_deref().is_some_and(|why| why.contains("flash_attn")), "{obstacle:?}");
    }
}

#[test]
fn without_anything_to_fit_in_the_field_is_named() {
    let request = request(&json!({ "model": "qwen3-8b" }));
    let model = resolve_model(&request.model).unwrap();
    assert_eq!(largest(&request, &model, Unknown::Context).unwrap_err().field, "hardware");
}

#[test]
fn a_bare_fit_names_the_length_that_is_safe() {
    // This card's usable memory is assumed: up to 16 GiB / 200 of it may be the driver's besides.
    let asked =
        json!({ "model": "llama-3.1-8b", "hardware": [{ "device": "rtx-4060-ti-16gb" }], "sequences": 1 });
    let answer = ask(&asked, Unknown::Context);
    let most = found(&answer);
    assert_eq!(most.state, Some(State::Barely));
    let at = |context: u64| {
        let mut request = most.request.clone();
        request.context = Some(context);
        plan(&request).unwrap().fit.state
    };
    let safe = most.safe.unwrap();
    assert_eq!((at(safe), at(safe + 1)), (State::Fits, State::Barely));
}

/// A small model whose every length and number can be tried.
fn small(kv_heads: u64, window: u64) -> Value {
    json!({ "spec": { "name": "small", "trained_context": 300, "layers": [
        { "count": 3, "kind": "full", "kv_heads": kv_heads, "k_dim": 64, "v_dim": 64 },
        { "count": 2, "kind": "window", "kv_heads": kv_heads, "k_dim": 64, "v_dim": 64, "window": window },
    ]}})
}

/// Whether a plan holds all that was asked for.
fn holds(asked: &Value, field: &str, n: u64) -> bool {
    let mut asked = asked.clone();
    asked[field] = n.into();
    let answer: Result<Plan, _> = plan(&request(&asked));
    // Where an engine starts with fewer sequences than asked for, it says so.
    answer.is_ok_and(|plan| {
        let queued = ["holds", "runs at most", "queues"];
        plan.fit.state != State::Over
            && !plan.assumptions.iter().any(|said| queued.iter().any(|word| said.contains(word)))
    })
}

fn engines() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "payload",
        "llama.cpp",
        "vllm",
        "exllamav3",
        "transformers",
        "mlx",
        "sglang",
        "tensorrt-llm",
    ])
}

/// Codecs of the cache, as far as an engine has them.
fn codec(engine: &str, pick: usize) -> Value {
    let types: &[&str] = match engine {
        "payload" | "llama.cpp" => &["f16", "q8_0", "q4_0"],
        "vllm" => &["bf16", "fp8_e4m3", "int8_per_token_head"],
        "exllamav3" => &["f16", "exl3_8", "exl3_4"],
        "tensorrt-llm" => &["bf16", "fp8_e4m3", "bf16"],
        _ => &["bf16", "bf16", "bf16"],
    };
    json!({ "kv": types[pick] })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Every shorter length fits, the answer fits, one more token does not; its plan agrees.
    #[test]
    fn the_longest_context_is_the_one_that_trying_every_length_finds(
        engine in engines(), pick in 0usize..3, heads in 1u64..4, window in 1u64..200, sequences in 1u64..4,
        memory in 1u64..3_000_000, devices in 1u64..3,
    ) {
        let asked = json!({
            "model": small(heads, window), "engine": { "name": engine }, "sequences": sequences,
            "cache": codec(engine, pick),
            "hardware": [{ "device": "d", "memory_bytes": memory, "count": devices }],
        });
        let parsed = request(&asked);
        let Ok(answer) = largest(&parsed, &resolve_model(&parsed.model).unwrap(), Unknown::Context) else {
            // What an engine does not model is no question of fit.
            prop_assert!(!holds(&asked, "context", 1));
            return Ok(());
        };
        let longest = (1..=300).take_while(|n| holds(&asked, "context", *n)).last().unwrap_or(0);
        match &answer.outcome {
            Outcome::Found(found) => {
                prop_assert_eq!(found.count(), Some(longest), "{} {:?}", engine, found);
                prop_assert_eq!(found.bound_by == Some(BoundBy::Model), longest == 300);
                let plan = plan(&found.request).unwrap();
                prop_assert_eq!(plan.fit.spare_bytes, found.spare_bytes);
                prop_assert_eq!(plan.fit.max_context, found.count());
            }
            Outcome::Nothing(obstacle) => {
                prop_assert_eq!(longest, 0, "{:?}", obstacle);
                prop_assert!(obstacle.over_bytes.is_some() || obstacle.refused.is_some());
            }
            Outcome::Unbounded => prop_assert!(false, "{} is bounded", engine),
        }
    }

    /// No larger number of sequences fits than the one found.
    #[test]
    fn the_most_sequences_are_those_that_trying_every_number_finds(
        engine in engines(), pick in 0usize..3, heads in 1u64..4, window in 1u64..400, context in 1u64..300,
        memory in 1u64..4_000_000, devices in 1u64..3, replicas in 1u64..3,
    ) {
        let dp = if matches!(engine, "vllm" | "sglang" | "tensorrt-llm" | "payload") { replicas.min(devices) } else { 1 };
        let asked = json!({
            "model": small(heads, window), "engine": { "name": engine }, "context": context,
            "cache": codec(engine, pick), "placement": { "dp": dp },
            "hardware": [{ "device": "d", "memory_bytes": memory, "count": devices }],
        });
        let parsed = request(&asked);
        let Ok(answer) = largest(&parsed, &resolve_model(&parsed.model).unwrap(), Unknown::Sequences) else {
            prop_assert!(plan(&parsed).is_err());
            return Ok(());
        };
        let tried = 300;
        let most = (1..=tried).rev().find(|n| holds(&asked, "sequences", *n)).unwrap_or(0);
        match &answer.outcome {
            Outcome::Found(found) if found.count() > Some(tried) => prop_assert_eq!(most, tried),
            Outcome::Found(found) => {
                prop_assert_eq!(found.count(), Some(most), "{} {:?}", engine, found);
                prop_assert_eq!(plan(&found.request).unwrap().fit.spare_bytes, found.spare_bytes);
            }
            Outcome::Nothing(obstacle) => prop_assert_eq!(most, 0, "{:?}", obstacle),
            Outcome::Unbounded => prop_assert!(false, "{} is bounded", engine),
        }
    }
}

/// Numbers that llama.cpp aborts on lie between others that it takes: the largest is found beyond them.
#[rstest]
#[case("deepseek-v4-flash")]
#[case("qwen3.6-27b")]
fn gaps_in_what_llama_cpp_takes_are_stepped_over(#[case] model: &str) {
    let asked = json!({ "model": model, "engine": { "name": "llama.cpp" }, "context": 4096,
                        "hardware": [{ "device": "b", "memory_bytes": 20 * GIB }] });
    let most = (1..=256).rev().find(|n| holds(&asked, "sequences", *n)).unwrap();
    assert_eq!(found(&ask(&asked, Unknown::Sequences)).count(), Some(most));
}
