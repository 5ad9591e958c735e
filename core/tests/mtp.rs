//! Prediction layers: loaded where they draft and only there, with the cache that the engine gives them.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use kvplan_core::cache::Role;
use kvplan_core::plan::{Plan, Request, plan};
use serde_json::{Value, json};

fn planned(request: &Value) -> Plan {
    plan(&Request::from_value(request).unwrap()).unwrap()
}

fn bytes(plan: &Plan, name: &str) -> Option<u64> {
    plan.extras.iter().find(|extra| extra.name == name).map(|extra| extra.bytes.get())
}

/// What the published tensors of zai-org/GLM-4.5 count beyond its 92 layers: one prediction layer with copies of the
/// embedding and of the head, 151,552 × 5,120 each (config.json).
const LAYER: u64 = 5_539_962_272;
const COPIES: u64 = 2 * 151_552 * 5_120;

fn glm(engine: &str, mtp: u64) -> Value {
    json!({ "model": "glm-4.5", "context": 4096, "engine": { "name": engine }, "mtp": mtp, "weights": { "format": "bf16" } })
}

#[test]
fn a_checkpoint_holds_prediction_layers_that_are_loaded_only_to_draft() {
    let alone = planned(&glm("payload", 0));
    let weights = alone.weights.unwrap();
    assert_eq!(weights.checkpoint_bytes.unwrap().get() - weights.bytes.get(), 2 * LAYER);
    assert!(alone.extras.is_empty());
    let drafting = planned(&glm("payload", 1));
    assert_eq!(drafting.weights, alone.weights, "the trunk is what it was");
    assert_eq!(
        bytes(&drafting, "mtp weights"),
        Some(2 * (LAYER - COPIES)),
        "embedding and head are the model's own"
    );
    // A model without such layers holds what is loaded.
    let plain = planned(&json!({ "model": "llama-3.1-8b", "context": 1, "weights": { "format": "bf16" } }));
    assert_eq!(plain.weights.unwrap().checkpoint_bytes, None);
}

#[test]
fn ranks_of_the_last_stage_share_prediction_layers() {
    let mut request = glm("vllm", 1);
    request["hardware"] = json!([{ "device": "h200-sxm-141gb", "count": 8 }]);
    request["placement"] = json!({ "tp": 8 });
    request["engine"]["num_speculative_tokens"] = json!(1);
    let plan = planned(&request);
    let each: Vec<u64> = plan.devices.iter().map(|d| d.extras_bytes.get()).collect();
    let share = LAYER - COPIES;
    assert!(each.iter().all(|n| n.abs_diff(2 * share / 8) < 16), "{each:?}");
    // Over two stages only the last drafts, and holds the embedding that the first one has once more.
    request["placement"] = json!({ "tp": 4, "pp": 2 });
    let plan = planned(&request);
    let each: Vec<u64> = plan.devices.iter().map(|d| d.extras_bytes.get()).collect();
    let apart = share + COPIES / 2;
    assert!(each[..4].iter().all(|n| *n == 0), "{each:?}");
    assert!(each[4..].iter().all(|n| n.abs_diff(2 * apart / 4) < 16), "{each:?}");
    assert_eq!(plan.extras[0].rule, "vllm/mtp-embedding");
}

#[test]
fn llama_cpp_drafts_in_a_context_of_its_own_and_keeps_states_to_go_back_to() {
    let request = |mtp: u64| {
        json!({ "model": "qwen3.5-27b", "context": 4096, "engine": { "name": "llama.cpp" }, "mtp": mtp,
                "weights": { "format": "Q8_0" }, "hardware": [{ "device": "rtx-5090" }, { "device": "cpu", "memory_bytes": 64_000_000_000u64 }] })
    };
    let (alone, drafting) = (planned(&request(0)), planned(&request(1)));
    // The engine's own bytes for a context of type mtp of 4096 cells (llama.cpp 0c1e57098, qwen3.5-27b-mtp).
    assert_eq!(bytes(&drafting, "mtp cache"), Some(8_388_608 + 8_388_608));
    // Its compute buffer there was 533,745,664 B with all 512 logits on a processor; stated doubt on devices: 20 %.
    let compute = bytes(&drafting, "mtp compute").unwrap();
    assert!(compute.abs_diff(533_745_664) < 533_745_664 / 5, "{compute}");
    let states = |plan: &Plan| {
        let state = |line: &&kvplan_core::plan::StoreShown| {
            matches!(line.role, Role::ConvState | Role::RecurrentState)
        };
        plan.kv.stores.iter().filter(state).map(|line| line.allocated_bytes.get()).sum::<u64>()
    };
    // Three tokens are drafted at most (common.h, n_max 3).
    assert_eq!(states(&drafting), 4 * states(&alone));
    assert!(drafting.fit.spare_bytes < alone.fit.spare_bytes);
    // A draft's types are its context's too.
    let mut quantized = request(1);
    quantized["extras"] = json!({ "draft_cache": { "kv": "q8_0" } });
    assert_eq!(bytes(&planned(&quantized), "mtp cache"), Some(16_777_216 / 64 * 34));
}

#[test]
fn prediction_layers_that_llama_cpp_skips_are_refused() {
    let request =
        json!({ "model": "minimax-m2", "context": 4096, "engine": { "name": "llama.cpp" }, "mtp": 1 });
    let error = plan(&Request::from_value(&request).unwrap()).unwrap_err();
    assert_eq!((<&str>::from(error.kind), error.field.as_str()), ("unsupported", "mtp"));
}
