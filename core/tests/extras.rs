//! What lives beside the model: drafts, projectors, adapters, counted where they are.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use kvplan_core::error::PlanError;
use kvplan_core::plan::{Plan, Request, plan};
use serde_json::{Value, json};

fn asked(request: &Value) -> Result<Plan, PlanError> {
    plan(&Request::from_value(request).unwrap())
}

fn planned(request: &Value) -> Plan {
    asked(request).unwrap()
}

/// Llama-3.1-8B with a card, and what is beside it.
fn with(extras: &Value) -> Value {
    json!({
        "model": "llama-3.1-8b", "context": 32_768, "engine": { "name": "llama.cpp" }, "extras": extras,
        "weights": { "format": "Q4_K_M" }, "hardware": [{ "device": "rtx-4090" }]
    })
}

fn bytes(plan: &Plan, name: &str) -> Option<u64> {
    plan.extras.iter().find(|extra| extra.name == name).map(|extra| extra.bytes.get())
}

/// 16 layers × 8 heads × 64 wide × (K and V) × 2 B (meta-llama/Llama-3.2-1B config.json).
const DRAFT_TOKEN: u64 = 16 * 8 * 64 * 2 * 2;

#[test]
fn a_draft_has_the_targets_context_in_types_of_its_own() {
    let draft = json!({ "draft": "llama-3.2-1b", "draft_weights": { "format": "Q8_0" } });
    let plan = planned(&with(&draft));
    assert_eq!(bytes(&plan, "draft cache"), Some(32_768 * DRAFT_TOKEN));
    assert!(bytes(&plan, "draft weights").unwrap() > 1_000_000_000);
    // The target's types are not the draft's: both keep f16 here.
    let mut quantized = with(&draft);
    quantized["cache"] = json!({ "kv": "q8_0" });
    assert_eq!(bytes(&planned(&quantized), "draft cache"), Some(32_768 * DRAFT_TOKEN));
    // q8_0 takes 34 bytes for 32 elements.
    let own = json!({ "draft": "llama-3.2-1b", "draft_cache": { "kv": "q8_0" } });
    assert_eq!(bytes(&planned(&with(&own)), "draft cache"), Some(32_768 * DRAFT_TOKEN / 64 * 34));
    // Every slot of the target has one in the draft's context.
    let mut slots = with(&draft);
    slots["sequences"] = json!(3);
    assert_eq!(bytes(&planned(&slots), "draft cache"), Some(3 * 32_768 * DRAFT_TOKEN));
}

#[test]
fn what_is_beside_the_model_is_taken_from_what_is_free() {
    let alone = planned(&with(&Value::Null));
    let extras = json!({ "draft": "llama-3.2-1b", "draft_weights": { "format": "Q8_0" }, "projector_bytes": 878_000_000,
                         "lora_bytes": 100_000_000 });
    let plan = planned(&with(&extras));
    let card = |plan: &Plan| plan.devices.iter().find(|d| d.name == "rtx-4090").unwrap().clone();
    let (before, after) = (card(&alone), card(&plan));
    assert_eq!((before.weights_bytes, before.kv_bytes), (after.weights_bytes, after.kv_bytes));
    let taken = before.free_bytes.unwrap() - after.free_bytes.unwrap();
    assert_eq!(u64::try_from(taken).unwrap(), after.extras_bytes.get());
    // Only the draft's embedding is elsewhere.
    let all: u64 = plan.extras.iter().map(|extra| extra.bytes.get()).sum();
    let devices: u64 = plan.devices.iter().map(|d| d.extras_bytes.get()).sum();
    assert_eq!(all, devices);
    let host = plan.devices.iter().find(|d| d.name == "CPU").unwrap().extras_bytes.get();
    assert!(host > 0 && after.extras_bytes.get() == all - host);
    assert_eq!((bytes(&plan, "projector"), bytes(&plan, "adapters")), (Some(878_000_000), Some(100_000_000)));
}

#[test]
fn the_longest_context_makes_room_for_the_drafts_cache_too() {
    let extras = json!({ "draft": "llama-3.2-1b", "draft_weights": { "format": "Q8_0" }, "projector_bytes": 878_000_000 });
    let mut request = with(&extras);
    request["weights"] = json!({ "bytes": 16_000_000_000u64 });
    let most = planned(&request).fit.max_context.unwrap();
    request["context"] = json!(most);
    let spare = planned(&request).fit.spare_bytes.unwrap();
    request["context"] = json!(most + 1);
    assert!(spare >= 0 && planned(&request).fit.spare_bytes.unwrap() < 0, "{most} {spare}");
    // One more step of 256 cells costs both caches: 131,072 B of the target a token.
    assert!(u64::try_from(spare).unwrap() < 256 * (131_072 + DRAFT_TOKEN));
}

#[test]
fn a_draft_computes_in_buffers_of_its_own() {
    let draft = json!({ "draft": "llama-3.2-1b", "draft_weights": { "format": "Q8_0" } });
    let plan = planned(&with(&draft));
    let compute = plan.extras.iter().find(|extra| extra.name == "draft compute").unwrap();
    // Logits of a batch of 512, 32 bits each, beside hidden states of 2048: 4 × 512 × (128256 + 2048) B and more.
    assert!(compute.bytes.get() > 4 * 512 * (128_256 + 2048), "{}", compute.bytes.get());
    assert_eq!(<&str>::from(compute.basis), "derived");
    // The draft alone, on the same card, has the same buffers.
    let mut alone = with(&Value::Null);
    alone["model"] = json!("llama-3.2-1b");
    assert_eq!(planned(&alone).compute.unwrap().bytes, compute.bytes);
    // Buffers that are given are those of the whole engine.
    let mut given = with(&draft);
    given["reserve"] = json!({ "compute_bytes": 500_000_000 });
    assert_eq!(bytes(&planned(&given), "draft compute"), None);
}

#[test]
fn every_line_beside_the_model_is_explained_and_adds_up() {
    let mut request = with(&json!({ "draft": "llama-3.2-1b", "draft_weights": { "format": "Q8_0" },
                                    "projector_bytes": 878_000_000, "lora_bytes": 100_000_000 }));
    request["explain"] = json!(true);
    let plan = planned(&request);
    assert_eq!(plan.extras.len(), 5);
    let terms = plan.explain.as_ref().unwrap();
    for extra in &plan.extras {
        let term = terms.iter().find(|term| term.label == extra.name).unwrap();
        assert_eq!((term.value, term.rule), (extra.bytes.get(), extra.rule));
        // What the formula says each place holds is the figure.
        let held = term.formula.split(" (").next().unwrap();
        let sum: u64 =
            held.split(" + ").map(|part| part.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(sum, term.value, "{}", term.formula);
    }
    let cache = terms.iter().find(|term| term.label == "draft cache").unwrap();
    assert_eq!(cache.terms.iter().map(|term| term.value).sum::<u64>(), cache.value);
}

#[test]
fn ranks_share_a_projector() {
    let request = json!({
        "model": "qwen3-8b", "context": 4096, "engine": { "name": "vllm" }, "placement": { "tp": 2 },
        "weights": { "format": "bf16" }, "hardware": [{ "device": "h100-sxm-80gb", "count": 2 }],
        "extras": { "projector_bytes": 1_000_000_001 }
    });
    let plan = planned(&request);
    assert!(plan.devices.iter().all(|d| d.extras_bytes.get() == 500_000_001));
}

/// Llama-3.1-8B and Llama-3.2-1B keep 8 KV heads in 32 layers of 128 and 16 of 64 (config.json), 16-bit K and V.
const TARGET_TOKEN: u64 = 32 * 8 * 128 * 2 * 2;

#[test]
fn a_draft_beside_vllm_keeps_its_cache_in_the_pool_and_its_weights_on_the_last_stage() {
    let mut request = json!({
        "model": "llama-3.1-8b", "context": 4096, "engine": { "name": "vllm", "num_speculative_tokens": 3 },
        "weights": { "format": "bf16" }, "hardware": [{ "device": "h100-sxm-80gb", "count": 4 }],
        "extras": { "draft": "llama-3.2-1b", "draft_weights": { "format": "bf16" } }
    });
    let block =
        |plan: &Plan| serde_json::to_value(plan).unwrap()["kv"]["engine_report"]["bytes_per_block"].as_u64();
    let one = planned(&request);
    // A block of 16 tokens has a page in every layer of both.
    assert_eq!(block(&one), Some(16 * (TARGET_TOKEN + DRAFT_TOKEN)));
    // 1,235,814,400 parameters (meta-llama/Llama-3.2-1B), two bytes each.
    assert_eq!(bytes(&one, "draft weights"), Some(2 * 1_235_814_400));
    assert_eq!(bytes(&one, "draft cache"), None);
    request["placement"] = json!({ "tp": 2, "pp": 2 });
    let cut = planned(&request);
    let each: Vec<u64> = cut.devices.iter().map(|d| d.extras_bytes.get()).collect();
    assert_eq!(each[..2], [0, 0]);
    assert!(each[2..].iter().all(|n| n.abs_diff(1_235_814_400) < 64), "{each:?}");
    // The last stage has half of the model's layers and all of the draft's, of half the heads.
    let held = |place: usize| cut.devices[place].kv_bytes.get();
    assert_eq!(held(3) * (TARGET_TOKEN / 2), held(0) * (TARGET_TOKEN / 2 + DRAFT_TOKEN));
    request["extras"]["draft_cache"] = json!({ "kv": "q8_0" });
    assert_eq!(asked(&request).unwrap_err().field, "extras.draft.cache");
}

#[test]
fn a_draft_beside_sglang_has_as_many_tokens_and_is_paid_for_as_if_it_were_as_wide() {
    let request = json!({
        "model": "llama-3.1-8b", "context": 4096, "engine": { "name": "sglang", "kv_memory_bytes": 10_000_000_000u64 },
        "extras": { "draft": "llama-3.2-1b", "draft_weights": { "format": "bf16" } }
    });
    let plan = planned(&request);
    let report = serde_json::to_value(&plan).unwrap()["kv"]["engine_report"].clone();
    // cell + int(cell × 16 / 32) divides the memory (DefaultPoolConfigurator); both pools have a page of one more.
    let tokens = 10_000_000_000 / (TARGET_TOKEN + TARGET_TOKEN / 2);
    assert_eq!(report["max_total_num_tokens"].as_u64(), Some(tokens));
    assert_eq!(report["allocated_bytes"].as_u64(), Some((tokens + 1) * (TARGET_TOKEN + DRAFT_TOKEN)));
    assert_eq!(bytes(&plan, "draft weights"), Some(2 * 1_235_814_400));
}

#[test]
fn a_draft_that_is_not_known_is_refused_where_it_stands() {
    let error = asked(&with(&json!({ "draft": "no-such-model" }))).unwrap_err();
    assert_eq!((<&str>::from(error.kind), error.field.as_str()), ("unknown-model", "extras.draft"));
    let error = asked(&with(&json!({ "draft_weights": { "format": "Q8_0" } }))).unwrap_err();
    assert_eq!((<&str>::from(error.kind), error.field.as_str()), ("missing-field", "extras.draft"));
    let nothing = planned(&with(&json!({})));
    assert!(nothing.extras.is_empty());
}
