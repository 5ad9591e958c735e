//! The inverse, held against trying everything: what is found fits, and one more does not.
#![expect(clippy::unwrap_used, clippy::panic, reason = "an answer that cannot be read has failed")]

use kvplan_core::fit::{Choice, Found, Largest, Obstacle, Outcome, Quantity, Unknown, choices, largest};
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
                 "hardware": [{ "device": "bench", "memory_bytes": 12 * GIB + 5 }], "reserve": { "compute_bytes": 0 } }),
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
                        "hardware": [{ "device": "bench", "memory_bytes": 31 * GIB }], "reserve": { "compute_bytes": 0 } });
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
                        "hardware": [{ "device": "bench", "memory_bytes": 8 * GIB }], "reserve": { "compute_bytes": 0 } });
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
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

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

#[test]
fn the_best_cache_type_is_the_first_of_the_measured_order_that_fits() {
    // 4 GiB at f16; q8_0 stores 34 bytes for 32 elements, q4_0 18: 2.125 GiB, and 1.625 GiB for q8_0 keys and q4_0 values.
    let best = |memory: u64| {
        let asked = json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp", "type_k": "f32" },
                            "context": 32_768, "hardware": [{ "device": "b", "memory_bytes": memory }], "reserve": { "compute_bytes": 0 } });
        let answer = ask(&asked, Unknown::Cache);
        let found = found(&answer).clone();
        assert_eq!(plan(&found.request).unwrap().fit.spare_bytes, found.spare_bytes);
        let Quantity::Cache(cache) = found.value else { panic!("{answer:#?}") };
        (
            cache.k.unwrap(),
            cache.v.unwrap(),
            cache.quality.unwrap().mean_kld,
            found.beyond.map(|b| b.over_bytes.unwrap()),
        )
    };
    assert_eq!(best(4 * GIB), ("f16", "f16", 0.0, None));
    // llama.cpp on SmolLM2-135M, as measured (tests/data/capture/engine_quality.csv).
    let mib = GIB / 1024;
    assert_eq!(best(2176 * mib), ("q8_0", "q8_0", 0.000_196_7, Some(1920 * mib)));
    assert_eq!(best(2176 * mib - 1), ("q8_0", "q4_0", 0.004_367_8, Some(1)));
    let asked = json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp" }, "context": 32_768,
                        "hardware": [{ "device": "b", "memory_bytes": GIB }] });
    let obstacle = nothing(ask(&asked, Unknown::Cache));
    assert!(obstacle.over_bytes.unwrap() > 0);
}

#[test]
fn fewer_devices_than_found_are_over_in_every_split() {
    // DeepSeek-V3 keeps one latent row for all heads: every tensor-parallel rank has all of it, a stage only its layers.
    let asked = |count: u64, tp: u64, pp: u64| {
        json!({ "model": "deepseek-v3", "engine": { "name": "vllm" }, "context": 131_072, "sequences": 16,
                "weights": { "bytes": 688_586_727_753u64 }, "placement": { "tp": tp, "pp": pp },
                "hardware": [{ "device": "h200-sxm-141gb", "count": count }] })
    };
    let answer = ask(&asked(1, 1, 1), Unknown::Devices);
    let few = found(&answer);
    let Quantity::Split(split) = &few.value else { panic!("{few:#?}") };
    let fits = |n: u64| {
        let pairs = (1..=n).filter(|tp| n.is_multiple_of(*tp)).map(|tp| (tp, n / tp));
        pairs
            .map(|(tp, pp)| request(&asked(n, tp, pp)))
            .any(|request| plan(&request).is_ok_and(|plan| plan.fit.state != State::Over))
    };
    assert_eq!((1..).find(|n| fits(*n)), Some(split.devices));
    assert_eq!(split.devices, split.ranks.tp * split.ranks.pp);
    assert_ne!(plan(&few.request).unwrap().fit.state, State::Over);
}

#[test]
fn questions_an_engine_does_not_have_are_refused_by_name() {
    let asked = request(&json!({ "model": "qwen3-8b", "engine": { "name": "vllm" }, "context": 4096,
                                 "hardware": [{ "device": "rtx-5090" }, { "device": "rtx-3090" }] }));
    let model = resolve_model(&asked.model).unwrap();
    let field = |unknown| largest(&asked, &model, unknown).unwrap_err().field;
    assert_eq!(field(Unknown::GpuLayers), "engine.name");
    assert_eq!(field(Unknown::Devices), "hardware");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// llama.cpp over uneven devices and a host that may be short itself.
    #[test]
    fn the_most_layers_on_the_gpu_are_those_that_trying_all_finds(
        heads in 1u64..4, window in 1u64..200, context in 1u64..2000, weights in 0u64..4_000_000,
        host in 0u64..6_000_000, memory in prop::collection::vec(1u64..4_000_000, 1..4),
    ) {
        let mut hardware: Vec<Value> = memory.iter().enumerate()
            .map(|(i, bytes)| json!({ "device": format!("d{i}"), "memory_bytes": bytes })).collect();
        hardware.push(json!({ "device": "CPU", "memory_bytes": host }));
        let asked = json!({ "model": small(heads, window), "engine": { "name": "llama.cpp" }, "context": context,
                            "weights": { "bytes": weights }, "hardware": hardware });
        let fits = |n: u64| {
            let mut asked = asked.clone();
            asked["engine"]["n_gpu_layers"] = n.into();
            plan(&request(&asked)).is_ok_and(|plan| plan.fit.state != State::Over)
        };
        // Five layers and the output.
        let most = (0..=6).rev().find(|n| fits(*n));
        match ask(&asked, Unknown::GpuLayers).outcome {
            Outcome::Found(found) => {
                prop_assert_eq!(found.count(), most);
                prop_assert_eq!(plan(&found.request).unwrap().fit.spare_bytes, found.spare_bytes);
                prop_assert_eq!(found.beyond.is_none(), most == Some(6));
            }
            Outcome::Nothing(obstacle) => {
                prop_assert_eq!(most, None);
                prop_assert!(obstacle.over_bytes.is_some());
            }
            Outcome::Unbounded => prop_assert!(false),
        }
    }

    /// The best split holds as much as the best of all that can be asked for one by one; so does the table's.
    #[test]
    fn the_best_split_is_the_one_that_trying_all_finds(
        heads in 1u64..5, window in 1u64..200, devices in 1u64..9, memory in 1u64..400_000,
        engine in prop::sample::select(vec!["payload", "vllm"]),
    ) {
        let asked = |tp: u64, pp: u64| json!({
            "model": small(heads, window), "engine": { "name": engine }, "cache": { "kv": "bf16" },
            "placement": { "tp": tp, "pp": pp },
            "hardware": [{ "device": "d", "memory_bytes": memory, "count": devices }] });
        let longest = (1..=devices).filter(|tp| devices.is_multiple_of(*tp)).filter_map(|tp| {
            let parsed = request(&asked(tp, devices / tp));
            let model = resolve_model(&parsed.model).unwrap();
            let largest = largest(&parsed, &model, Unknown::Context).ok()?;
            Some(largest.found().and_then(Found::count).unwrap_or(0))
        }).max();
        let parsed = request(&asked(1, 1));
        let model = resolve_model(&parsed.model).unwrap();
        let best = largest(&parsed, &model, Unknown::Split);
        prop_assert_eq!(best.as_ref().is_ok(), longest.is_some());
        let Ok(best) = best else { return Ok(()) };
        prop_assert_eq!(best.found().and_then(|found| found.request.context).or(Some(0)), longest);
        let table = choices(&parsed, &model, Unknown::Context).unwrap();
        let plain = table.iter().filter(|row| row.cache.k == Some("bf16"));
        // What is refused for one token already is no row.
        prop_assert_eq!(plain.filter_map(|row| row.largest).max().or(Some(0)), longest);
    }
}

/// Rows of the table are answers of their own, and the front is what no other row beats.
#[rstest]
#[case("llama.cpp", 1)]
#[case("vllm", 4)]
#[case("exllamav3", 2)]
#[case("payload", 2)]
fn every_row_of_the_table_fits_and_one_more_does_not(#[case] engine: &str, #[case] count: u64) {
    let asked = json!({ "model": "qwen3.6-27b", "engine": { "name": engine }, "weights": { "bytes": 16 * GIB },
                        "hardware": [{ "device": "d", "memory_bytes": 24 * GIB / count, "count": count }],
                        "reserve": { "activation_bytes": 0, "cuda_graph_bytes": 0, "non_torch_bytes": 0 } });
    let parsed = request(&asked);
    let model = resolve_model(&parsed.model).unwrap();
    let table = choices(&parsed, &model, Unknown::Context).unwrap();
    assert!(table.len() > 4, "{table:#?}");
    for row in &table {
        let Some(request) = &row.request else { continue };
        assert_eq!(request.context, row.largest);
        assert_ne!(plan(request).unwrap().fit.state, State::Over);
        let mut more = (**request).clone();
        more.context = row.largest.map(|n| n + 1);
        let fits = plan(&more).is_ok_and(|plan| plan.fit.state != State::Over);
        assert_eq!(fits, row.bound_by == Some(BoundBy::Model), "{row:#?}");
    }
    let front: Vec<u64> = table.iter().filter(|row| row.pareto).map(|row| row.largest.unwrap()).collect();
    assert!(
        front.windows(2).all(|pair| pair[0] < pair[1]),
        "worse types only for longer contexts: {front:?}"
    );
    assert_eq!(front.last().copied(), table.iter().filter_map(|row| row.largest).max());
}

/// Machines whose bandwidth is known: every row decodes as fast as its own plan, and the front is what no row beats.
#[rstest]
#[case(r#"{"model":"qwen3-8b","engine":{"name":"llama.cpp"},"weights":{"format":"Q8_0"},"hardware":[{"device":"rtx-3060-12gb"}]}"#, Unknown::Context)]
#[case(r#"{"model":"gemma-3-27b","engine":{"name":"vllm"},"weights":{"format":"bf16"},"hardware":[{"device":"l40s","count":2}]}"#, Unknown::Context)]
#[case(r#"{"model":"qwen3-8b","context":8192,"engine":{"name":"vllm"},"weights":{"format":"bf16"},"hardware":[{"device":"h100-sxm-80gb"}]}"#, Unknown::Sequences)]
fn rows_are_as_fast_as_their_plans_and_the_front_is_what_none_beats(
    #[case] asked: &str,
    #[case] unknown: Unknown,
) {
    let parsed = request(&serde_json::from_str(asked).unwrap());
    let model = resolve_model(&parsed.model).unwrap();
    let table = choices(&parsed, &model, unknown).unwrap();
    let of_plan = |request: &Request| plan(request).unwrap().speed.unwrap().decode_tokens_per_s;
    let alike = table.iter().filter_map(|row| row.largest).filter(|n| *n > 0).min().unwrap();
    let mut seen = Vec::new();
    for row in table.iter().filter(|row| row.largest != Some(0)) {
        let (mut request, speed) = ((**row.request.as_ref().unwrap()).clone(), row.speed.unwrap());
        assert_eq!(speed.decode_tokens_per_s, Some(of_plan(&request)));
        let number =
            if unknown == Unknown::Sequences { &mut request.sequences } else { &mut request.context };
        *number = Some(alike);
        assert_eq!((speed.alike, speed.alike_tokens_per_s), (alike, of_plan(&request)));
        seen.push((row, speed.alike_tokens_per_s));
    }
    assert!(seen.iter().any(|(row, _)| row.pareto));
    // Rows stand in the order of quality, so whoever stands above has as good a type.
    for (i, (row, rate)) in seen.iter().enumerate() {
        let as_good = |other: &(&Choice, f64)| other.0.largest >= row.largest && other.1 >= *rate;
        let above = seen[..i].iter().any(as_good);
        let same = |other: &Choice| other.cache == row.cache;
        let beside = seen[i + 1..].iter().any(|other| {
            same(other.0) && as_good(other) && (other.0.largest > row.largest || other.1 > *rate)
        });
        assert_eq!(row.pareto, !above && !beside, "{row:#?}");
    }
}

/// Brute force over every way to deal the layers of a small model to two or three uneven devices.
fn deals(layers: u16, devices: usize) -> Vec<Vec<u16>> {
    if devices == 1 {
        return vec![vec![layers]];
    }
    (0..=layers)
        .flat_map(|first| {
            deals(layers - first, devices - 1).into_iter().map(move |mut rest| {
                rest.insert(0, first);
                rest
            })
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// No way to deal the layers holds a longer context than the one found.
    #[test]
    fn the_layers_of_uneven_devices_are_dealt_best(
        heads in 1u64..4, window in 1u64..200, weights in 0u64..600_000,
        memory in prop::collection::vec(1u64..900_000, 2..4),
    ) {
        let hardware: Vec<Value> = memory.iter().enumerate()
            .map(|(i, bytes)| json!({ "device": format!("d{i}"), "memory_bytes": bytes })).collect();
        let asked = json!({ "model": small(heads, window), "engine": { "name": "llama.cpp" },
                            "weights": { "bytes": weights }, "hardware": hardware });
        let longest = deals(6, memory.len()).into_iter().map(|layers| {
            let mut asked = asked.clone();
            asked["engine"]["tensor_split"] = json!(layers);
            let parsed = request(&asked);
            let answer = largest(&parsed, &resolve_model(&parsed.model).unwrap(), Unknown::Context).unwrap();
            answer.found().and_then(Found::count).unwrap_or(0)
        }).max().unwrap();
        let answer = ask(&asked, Unknown::Split);
        prop_assert_eq!(answer.found().and_then(|found| found.request.context).unwrap_or(0), longest);
        if let Some(found) = answer.found() {
            let plan = plan(&found.request).unwrap();
            prop_assert!(plan.fit.state != State::Over);
            prop_assert_eq!(plan.fit.spare_bytes, found.spare_bytes);
        }
    }
}
