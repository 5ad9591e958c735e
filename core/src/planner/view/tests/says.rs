//! What is said: headlines, ways out, what comes next, the last change.

use super::*;

#[test]
fn every_verdict_has_its_word() {
    let word = |request: Value| headline(answer(&asked(&request)).1.as_ref(), View::default());
    let on = |extra: Value| {
        let mut request = serde_json::to_value(example()).unwrap();
        for (name, value) in extra.as_object().unwrap() {
            request[name] = value.clone();
        }
        word(request)
    };
    assert_eq!(on(json!({})).word, Word::Fits);
    assert_eq!(on(json!({ "weights": { "format": "BF16" } })).word, Word::Over);
    assert_eq!(on(json!({ "hardware": [] })).word, Word::Needs);
    assert_eq!(on(json!({ "context": null, "cache": { "kv": "q8_0" } })).word, Word::Fits);
    let refused =
        on(json!({ "engine": { "name": "llama.cpp", "flash_attn": "off" }, "cache": { "v": "q8_0" } }));
    assert_eq!(refused.word, Word::Refused);
    let spec = json!({ "model": { "hf": { "model_type": "nobody_knows" } }, "context": 1 });
    let error = resolve_model(&asked(&spec).model).unwrap_err();
    let unknown = headline(Err(&error), View::default());
    assert_eq!(unknown.word, Word::Unknown);
    assert!(unknown.first.contains("nobody_knows"), "{}", unknown.first);
}

#[test]
fn a_headline_says_what_is_to_spare_on_what_and_what_binds() {
    let plan = answer(&example()).1.unwrap();
    let said = headline(Ok(&plan), View::default());
    let spare = Bytes::new(plan.fit.spare_bytes.unwrap().unsigned_abs());
    assert!(said.first.contains(&text::bytes(spare, View::default())), "{}", said.first);
    assert!(said.first.contains("RTX 5090") && said.first.contains("131,072"), "{}", said.first);
    assert!(said.second.contains(&text::grouped(plan.fit.max_context.unwrap())), "{}", said.second);
    let rate = text::rate(plan.speed.unwrap().decode_tokens_per_s);
    assert!(said.second.contains(&format!("{rate} tokens/s at this depth")), "{}", said.second);
}

#[test]
fn a_fixed_pool_is_said_in_the_engines_own_words() {
    // What vLLM 0.33.0 prints for a pool of 16 GiB: `GPU KV cache size: N tokens`, N = blocks × block size.
    let request = asked(&json!({
        "model": "qwen3-8b", "context": 32_768,
        "engine": { "name": "vllm", "kv_cache_memory_bytes": 17_179_869_184_u64 }
    }));
    let plan = answer(&request).1.unwrap();
    let said = headline(Ok(&plan), View::default());
    // 16 GiB / (36 layers × 8 heads × 128 × 2 × 2 B × 16 tokens) = 7,281 blocks of 16 tokens.
    assert!(said.second.contains("116,496"), "{}", said.second);
}

#[test]
fn a_plan_that_is_over_offers_three_ways_out_that_fit_each_with_its_price() {
    let request =
        Request { weights: Some(WeightsRequest::Format("Q6_K".into())), context: Some(262_144), ..example() };
    let (model, plan) = answer(&request);
    assert_eq!(plan.as_ref().unwrap().fit.state, FitState::Over);
    let ways = fixes::fixes(&model, &request, plan.as_ref());
    let texts: Vec<&str> = ways.iter().map(|fix| fix.text.as_str()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert_eq!(texts[0], "q8_0 cache, KL +.0002");
    assert!(texts[1].ends_with(" tokens") && texts[2].starts_with("Q4_K_M weights"), "{texts:?}");
    for way in &ways {
        assert_ne!(plan_model(&model, &way.request).unwrap().fit.state, FitState::Over, "{}", way.text);
    }
}

#[test]
fn a_refusal_offers_to_take_back_what_was_refused() {
    let request = Request {
        cache: serde_json::from_value(json!({ "v": "q8_0" })).unwrap(),
        ..asked(&json!({
            "model": "qwen3-8b", "context": 4096, "engine": { "name": "llama.cpp", "flash_attn": "off" }
        }))
    };
    let (model, plan) = answer(&request);
    let ways = fixes::fixes(&model, &request, plan.as_ref());
    assert!(ways.len() >= 2, "{ways:?}");
    for way in ways {
        plan_model(&model, &way.request).unwrap();
    }
}

#[test]
fn a_fleet_is_as_many_machines_as_its_conversations_need_and_no_fewer_do() {
    let request = asked(&json!({
        "model": "qwen3-8b", "engine": { "name": "vllm" }, "context": 40_960, "sequences": 200,
        "weights": { "bytes": 16_400_000_000_u64 }, "hardware": [{ "device": "h200-sxm-141gb" }]
    }));
    let (model, plan) = answer(&request);
    let ways = fixes::fixes(&model, &request, plan.as_ref());
    let taken = &ways[0].request;
    let machines = taken.placement.dp;
    assert!(ways[0].text.starts_with(&machines.to_string()), "{}", ways[0].text);
    let mut fewer = taken.clone();
    (fewer.placement.dp, fewer.hardware[0].count) = (machines - 1, machines - 1);
    assert_eq!(plan_model(&model, &fewer).unwrap().fit.state, FitState::Over);
}

#[test]
fn the_last_change_says_what_and_what_it_came_to() {
    let before = Request { context: Some(65_536), ..example() };
    let now = example();
    let (model, plan) = answer(&now);
    let then = plan_model(&model, &before);
    let said = change::line((&before, then.as_ref().ok()), (&now, plan.as_ref().ok()), View::default());
    assert!(said.starts_with("context 65,536 → 131,072    KV +4.00 GiB    speed -"), "{said}");
    let mut other = now.clone();
    other.cache.set(crate::cache::Knob::K, Some("q8_0".into()));
    other.weights = None;
    let said = change::differences(&now, &other, View::default()).join(", ");
    assert_eq!(said, "cache K default → q8_0, weights Q4_K_M → default");
}

/// RAM whose bandwidth is known (two channels of DDR5-5600, 8 B each a transfer: 89.6 GB/s) prices what is put there.
#[test]
fn an_over_plan_can_move_to_ram_at_a_price_in_tokens_a_second() {
    let ram =
        json!({ "device": "cpu", "memory_bytes": 96_u64 << 30, "bandwidth_bytes_per_s": 89_600_000_000_u64 });
    let offered = |model: &str, weights: &str, ram: &Value| {
        let request = asked(&json!({ "model": model, "engine": { "name": "llama.cpp" }, "context": 131_072,
            "weights": { "format": weights }, "hardware": [{ "device": "rtx-5090" }, ram] }));
        let (model, plan) = answer(&request);
        fixes::fixes(&model, &request, plan.as_ref())
    };
    let cache = offered("qwen3.6-27b", "Q8_0", &ram);
    let moved = cache.iter().find(|fix| fix.text.starts_with("cache in RAM, ~")).unwrap();
    assert!(moved.text.ends_with(" tokens/s"), "{}", moved.text);
    let plan = answer(&moved.request).1.unwrap();
    assert_eq!((plan.fit.state, plan.devices[0].kv_bytes), (FitState::Fits, Bytes::ZERO));
    let experts = offered("gpt-oss-120b", "Q4_K_M", &ram);
    assert!(
        experts.iter().any(|fix| fix.text.starts_with("experts of ") && fix.text.contains("tokens/s")),
        "{experts:?}"
    );
    // Of RAM whose bandwidth is not known nothing is guessed.
    let unknown = json!({ "device": "cpu", "memory_bytes": 64_u64 << 30 });
    assert!(offered("qwen3.6-27b", "Q8_0", &unknown).iter().all(|fix| !fix.text.contains("tokens/s")));
}

#[test]
fn a_plan_that_fits_says_what_comes_next() {
    let next = |request: &Request| {
        let (model, plan) = answer(request);
        headline::next_step(&model, request, &plan.unwrap())
    };
    let with = |change: Value| {
        let mut asked = serde_json::to_value(example()).unwrap();
        for (name, value) in change.as_object().unwrap() {
            asked[name] = value.clone();
        }
        Request::from_value(&asked).unwrap()
    };
    let most = |request: &Request| answer(request).1.unwrap().fit;
    let q6 = with(json!({ "weights": { "format": "Q6_K" } }));
    // The model's own limit is 262,144 (Qwen/Qwen3.6-27B config.json).
    assert_eq!(next(&q6).unwrap(), "q8_0 cache would reach the model's own limit, 262,144.");
    let q8 = with(json!({ "weights": { "format": "Q8_0" }, "context": 65_536 }));
    let reach =
        most(&Request { cache: serde_json::from_value(json!({ "kv": "q8_0" })).unwrap(), ..q8.clone() });
    assert_eq!(
        next(&q8).unwrap(),
        format!("q8_0 cache would reach {}.", text::grouped(reach.max_context.unwrap()))
    );
    // Barely: what it says is safe fits whatever is estimated, and a step of 256 cells more does not.
    let barely = with(json!({ "context": 262_144 }));
    let said = next(&barely).unwrap();
    let safe: u64 = said.split(' ').next().unwrap().replace(',', "").parse().unwrap();
    let state = |context: u64| most(&Request { context: Some(context), ..barely.clone() }).state;
    assert_eq!((state(safe), state(safe + 256)), (FitState::Fits, FitState::Barely));
    // A context that ends at the model's limit wants nothing.
    assert_eq!(next(&with(json!({ "weights": { "format": "IQ4_XS" }, "context": 8192 }))), None);
}

#[test]
fn a_pool_engine_says_how_many_conversations_it_holds_and_what_it_will_print() {
    // vLLM's log of DeepSeek-V4-Flash: 83,062 blocks, 1,513,358 tokens, 11.55x of 131,072.
    let request = asked(&json!({
        "model": "deepseek-v4-flash", "context": 131_072,
        "engine": { "name": "vllm", "num_gpu_blocks_override": 83_062 },
        "workload": { "typical_context": 8192, "sessions": 100 }
    }));
    let (_, plan) = answer(&request);
    let plan = plan.unwrap();
    let typical = plan.serving.as_ref().unwrap().typical.as_ref().unwrap().conversations.unwrap();
    let said = headline(Ok(&plan), View::default());
    assert_eq!(
        said.second,
        format!(
            "Holds 11.5 conversations of 131,072 tokens, {typical} at your typical length. vLLM will print 1,513,358 \
             tokens, 11.55x."
        )
    );
    let panel = serving::serving(&plan, View::default()).unwrap();
    let rows: Vec<_> =
        panel.rows.iter().map(|row| (row.name, row.tokens.as_str(), row.held.as_str())).collect();
    assert_eq!(rows[0], ("full length", "131,072", "11"));
    assert_eq!((rows[1].0, rows[1].1), ("typical", "8,192"));
    assert_eq!((panel.rows[0].copies.as_str(), panel.shared), ("10", None));
    assert_eq!(panel.copies.unwrap(), "So many copies of it hold 100 sessions.");
}

#[test]
fn an_engine_that_shares_nothing_says_so_only_where_something_is_common() {
    let mut request = example();
    assert_eq!(serving::serving(&answer(&request).1.unwrap(), View::default()), None);
    request.workload.shared_prefix = 4096;
    let panel = serving::serving(&answer(&request).1.unwrap(), View::default()).unwrap();
    assert!(panel.shared.unwrap().starts_with("llama.cpp shares nothing: every slot has cells of its own"));
    assert_eq!(panel.prints, None);
}

#[test]
fn a_fleet_is_said_first_in_nodes_and_what_longer_sessions_would_take() {
    let request = asked(
        &json!({ "model": "deepseek-v4-flash", "context": 1_048_576, "engine": { "name": "vllm" },
        "weights": { "bytes": 160_000_000_000_u64 }, "hardware": [{ "device": "h200-sxm-141gb", "count": 8 }],
        "placement": { "tp": 8, "ep": 8 },
        "workload": { "typical_context": 180_000, "p95_context": 700_000, "shared_prefix": 40_000, "sessions": 2000 } }),
    );
    let (_, plan) = answer(&request);
    let plan = plan.unwrap();
    let nodes = |n: Option<u64>| n.unwrap();
    let serving = plan.serving.as_ref().unwrap();
    let (full, typical) = (nodes(serving.full.replicas), nodes(serving.typical.as_ref().unwrap().replicas));
    let p95 = nodes(serving.p95.as_ref().unwrap().replicas);
    assert!(typical < p95 && p95 < full);
    let said = headline(Ok(&plan), View::default());
    assert_eq!(
        said.first.split(" ±").next().unwrap(),
        format!(
            "2,000 sessions take {typical} nodes of 8 devices at typical length, {p95} at \"19 of 20 below\", {full} at full \
             length."
        )
    );
    assert!(said.second.starts_with("Holds "), "{}", said.second);
}
