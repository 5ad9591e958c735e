//! vLLM 0.33.0 against what its own planner computed (`vllm.jsonl.gz`) and what published logs print
//! (`logs.vllm.jsonl.gz`).
#![expect(clippy::unwrap_used, reason = "a test that cannot read its truth has failed")]

use flate2::read::GzDecoder;
use kvplan_core::engine::vllm::{LogFormula, LogInput};
use kvplan_core::plan::{ModelRef, answer_line, resolve_model};
use kvplan_core::reconcile::{Given, reconcile};
use serde_json::{Map, Value, json};
use std::io::Read as _;
use std::path::Path;

fn rows(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/truth/engines").join(file);
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// What of the answer differs from the row; empty when nothing does.
fn differences(row: &Value, answer: &Value) -> Vec<String> {
    let expect = &row["expect"];
    let mut wrong = Vec::new();
    if let Some(refused) = expect["refused"].as_str() {
        let error = &answer["error"];
        let message = error["message"].as_str().unwrap_or_default();
        // The rows cut vLLM's text short.
        if error["kind"] != "engine-refuses" || !message.starts_with(refused) {
            wrong.push(format!("refusal: {error} instead of {refused}"));
        }
        return wrong;
    }
    if answer["kv"]["allocated_bytes"] != expect["allocated_bytes"] {
        wrong.push(format!(
            "allocated {} instead of {}",
            answer["kv"]["allocated_bytes"], expect["allocated_bytes"]
        ));
    }
    let report = expect["engine_report"].as_object().unwrap();
    for (key, value) in report {
        let ours = &answer["kv"]["engine_report"][key];
        if ours != value {
            wrong.push(format!("{key}: {ours} instead of {value}"));
        }
    }
    if !answer["error"].is_null() {
        wrong.push(answer["error"].to_string());
    }
    wrong
}

#[test]
fn every_row_of_the_planner_is_equal_in_every_figure() {
    let mut failed = Vec::new();
    let rows = rows("vllm.jsonl.gz");
    for row in &rows {
        let answer: Value = serde_json::from_str(&answer_line(&row["request"].to_string())).unwrap();
        let wrong = differences(row, &answer);
        if !wrong.is_empty() {
            failed.push(format!("{} {}: {}", row["id"], row["model"], wrong.join("; ")));
        }
    }
    assert!(failed.is_empty(), "{} of {} rows differ:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

/// Published logs that print no memory, or not that of the rank the figures are of: nothing to derive blocks from.
const WITHOUT_MEMORY: &[&str] = &["vllm-log/0235", "vllm-log/0237", "vllm-log/0240", "vllm-log/0252"];

/// The layers and options behind a published log whose row does not carry them, from the publishers' configurations.
fn set_up(id: &str) -> Option<Value> {
    let full = |count: u64, kv_heads: u64, dim: u64| json!({ "count": count, "kind": "full", "kv_heads": kv_heads, "k_dim": dim, "v_dim": dim });
    let delta = |count: u64, v_heads: u64| {
        json!({ "count": count, "kind": "gated_delta", "k_heads": 16, "k_dim": 128, "v_heads": v_heads, "v_dim": 128,
                "conv_kernel": 4 })
    };
    // None of these versions exported checkpoints inside a prefill, as 0.33 does on Hopper: on Ampere it does not.
    let hybrid = |layers: [Value; 2], options: Value| {
        let mut engine = json!({ "platform": "sm86" });
        engine.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
        json!({ "model": { "spec": { "dtype": "bf16", "state_dtype": "f32", "layers": layers } }, "engine": engine })
    };
    Some(match id {
        "vllm-log/0236" => json!({ "model": { "spec": { "layers": [
            { "count": 61, "kind": "mla", "latent_dim": 512, "rope_dim": 64 }] } } }),
        // EXAONE-4.0-32B: three windows, then a full layer.
        "vllm-log/0242" => {
            json!({ "model": { "spec": { "layers": [{ "count": 16, "kind": "pattern", "layers": [
            { "count": 3, "kind": "window", "kv_heads": 8, "k_dim": 128, "v_dim": 128, "window": 4096 },
            { "kind": "full", "kv_heads": 8, "k_dim": 128, "v_dim": 128 }] }] } } })
        }
        // Qwen3.5-35B-A3B.
        "vllm-log/0243" | "vllm-log/0244" => hybrid([delta(30, 32), full(10, 2, 256)], json!({})),
        // Qwen3.5-9B; `vllm bench latency` turns prefix caching off.
        "vllm-log/0245" | "vllm-log/0246" => {
            hybrid([delta(24, 32), full(8, 4, 256)], json!({ "enable_prefix_caching": false }))
        }
        "vllm-log/0247" => hybrid([delta(24, 32), full(8, 4, 256)], json!({})),
        // Qwen3-Next: states in the model's own type; 0.13 turned prefix caching off for it.
        "vllm-log/0248" => hybrid(
            [delta(36, 32), full(12, 2, 256)],
            json!({ "enable_prefix_caching": false, "mamba_ssm_cache_dtype": "bfloat16" }),
        ),
        // Nemotron-3-Nano-4B; 0.13 kept its states in the model's own type, and turned prefix caching off.
        "vllm-log/0249" => {
            let mamba = json!({ "count": 21, "kind": "mamba2", "heads": 96, "head_dim": 80, "groups": 8, "state": 128,
                                "conv_kernel": 4 });
            hybrid(
                [mamba, full(4, 8, 128)],
                json!({ "enable_prefix_caching": false, "mamba_ssm_cache_dtype": "bfloat16" }),
            )
        }
        "vllm-log/0251" => json!({ "model": { "spec": { "layers": [
            { "count": 2, "kind": "compressed", "dim": 512, "window": 128, "ratio": 0 },
            { "count": 20, "kind": "pattern", "layers": [
                { "kind": "compressed", "dim": 512, "window": 128, "ratio": 4, "indexer_dim": 128 },
                { "kind": "compressed", "dim": 512, "window": 128, "ratio": 128 }] },
            { "kind": "compressed", "dim": 512, "window": 128, "ratio": 4, "indexer_dim": 128 }] } } }),
        // Qwen3.8-27B with one drafting layer and three drafted tokens.
        "vllm-log/0254" => {
            let mut request =
                hybrid([delta(48, 48), full(16, 4, 256)], json!({ "num_speculative_tokens": 3 }));
            request["model"]["spec"]["mtp"] = json!([full(1, 4, 256)]);
            request["mtp"] = json!(1);
            request
        }
        "vllm-log/0255" => hybrid([delta(48, 48), full(16, 4, 256)], json!({})),
        _ => return None,
    })
}

/// A request for what a log was printed of.
fn request_of(row: &Value) -> Option<Value> {
    let params = &row["params"];
    let config = &row["config"];
    let mut request = if config.is_null() {
        set_up(row["id"].as_str().unwrap())?
    } else {
        json!({ "model": { "spec": { "layers": [{
            "count": config["layers"], "kind": "full", "kv_heads": config["kv_heads_per_rank"],
            "k_dim": config["head_dim"], "v_dim": config["head_dim"] }] } } })
    };
    let engine = request.as_object_mut().unwrap().entry("engine").or_insert_with(|| json!({}));
    engine["name"] = json!("vllm");
    engine["kv_cache_dtype"] = params["kv_cache_dtype"].clone();
    // Rows with a configuration state one rank's heads already.
    if row["config"].is_null() && row["id"] != "vllm-log/0236" {
        engine["tensor_parallel_size"] = params["tensor_parallel_size"].clone();
    }
    if row["config"].is_object() || row["id"] == "vllm-log/0236" {
        engine["block_size"] = params["block_size"].clone();
    }
    engine["max_model_len"] = params["max_model_len"].as_u64().map_or(json!(1024), Value::from);
    Some(request)
}

/// Why a log is not reproduced from its printed memory; `None` when it is.
fn why_not_reproduced(row: &Value) -> Option<String> {
    let (params, result) = (&row["params"], &row["result"]);
    let request = request_of(row)?;
    let answer: Value = serde_json::from_str(&answer_line(&request.to_string())).unwrap();
    let report = &answer["kv"]["engine_report"];
    if report.is_null() {
        return Some(answer["error"].to_string());
    }
    for (ours, theirs) in [
        (&report["bytes_per_block"], &result["bytes_per_block"]),
        (&report["block_size"], &params["block_size"]),
        (&report["blocks_per_sequence"], &result["blocks_per_max_len_request"]),
    ] {
        if !theirs.is_null() && ours != theirs {
            return Some(format!("{ours} instead of {theirs}: {report}"));
        }
    }
    // Figures are printed to a hundredth of a GiB.
    let hundredths =
        format!("{:.0}", params["available_kv_gib"].as_f64().unwrap() * 1000.0).parse::<u64>().unwrap();
    let bytes_per_block = report["bytes_per_block"].as_u64().unwrap();
    let at = |thousandths: u64| (u128::from(thousandths) << 30) / 1000 / u128::from(bytes_per_block);
    let formula = match row["version"].as_str().unwrap() {
        // Seen in the second half of 2026, after 0.21.
        "0.2x (2026-H2)" | "2026-08" | "2026-09" => LogFormula::Concurrency,
        version => LogFormula::of(version).unwrap(),
    };
    let groups = report["groups"].as_array().unwrap();
    let smallest = groups.iter().filter_map(|g| g["block_size"].as_u64()).min().unwrap();
    let reproduces = (at(hundredths - 5)..=at(hundredths + 5)).any(|num_blocks| {
        let figures = formula.figures(&LogInput {
            num_blocks: u64::try_from(num_blocks).unwrap(),
            groups: u64::try_from(groups.len()).unwrap(),
            block_size: smallest,
            blocks_per_request: report["blocks_per_sequence"].as_u64().unwrap(),
            max_model_len: request["engine"]["max_model_len"].as_u64().unwrap(),
            dcp: 1,
        });
        let printed = result["max_concurrency"].as_f64();
        let known = !params["max_model_len"].is_null();
        result["kv_tokens"] == figures.tokens
            && (!known || printed.is_none_or(|p| format!("{p:.2}") == format!("{:.2}", figures.concurrency)))
    });
    (!reproduces).then(|| format!("no block count in the printed memory gives {result}"))
}

#[test]
fn published_logs_are_reproduced_from_the_memory_they_print() {
    let mut failed = Vec::new();
    let mut reproduced = 0;
    for row in &rows("logs.vllm.jsonl.gz") {
        let id = row["id"].as_str().unwrap();
        let without = row["params"]["available_kv_gib"].is_null();
        assert_eq!(without, WITHOUT_MEMORY.contains(&id), "{id}");
        if without {
            continue;
        }
        match (request_of(row), why_not_reproduced(row)) {
            (None, _) => failed.push(format!("{id}: what it was printed of is not known")),
            (Some(_), Some(why)) => failed.push(format!("{id}: {why}")),
            (Some(_), None) => reproduced += 1,
        }
    }
    assert!(failed.is_empty(), "{reproduced} reproduced, {} not:\n{}", failed.len(), failed.join("\n"));
}

/// The lines of a log whose figures a row holds.
fn lines_of(row: &Value) -> String {
    let (params, result) = (&row["params"], &row["result"]);
    let version = row["version"].as_str().unwrap();
    let mut text = String::new();
    if version.starts_with("0.") && LogFormula::of(version).is_some() {
        text.push_str(&format!(
            "Initializing a V1 LLM engine (v{}) with config:\n",
            version.split(' ').next().unwrap()
        ));
    }
    text.push_str(&format!("Available KV cache memory: {} GiB\n", params["available_kv_gib"]));
    text.push_str(&format!("GPU KV cache size: {} tokens\n", result["kv_tokens"]));
    if let (Some(length), Some(concurrency)) =
        (params["max_model_len"].as_u64(), result["max_concurrency"].as_f64())
    {
        text.push_str(&format!("Maximum concurrency for {length} tokens per request: {concurrency:.2}x\n"));
    }
    text
}

#[test]
fn a_log_of_the_same_figures_is_reconciled() {
    let mut failed = Vec::new();
    let mut agreed = 0;
    for row in &rows("logs.vllm.jsonl.gz") {
        let id = row["id"].as_str().unwrap();
        let Some(request) = request_of(row).filter(|_| !row["params"]["available_kv_gib"].is_null()) else {
            continue;
        };
        let model = resolve_model(&ModelRef::Spec(request["model"]["spec"].clone())).unwrap();
        let mut options: Map<String, Value> = request["engine"].as_object().unwrap().clone();
        options.remove("name");
        let mtp = request["mtp"].as_u64().unwrap_or(0);
        let given = Given { model: Some(&model), options: Some(&options), mtp };
        match reconcile(&lines_of(row), &given) {
            Ok(found) if found.agrees() => agreed += 1,
            Ok(found) => failed.push(format!("{id}: {:?}", found.lines)),
            Err(error) => failed.push(format!("{id}: {error:?}")),
        }
    }
    assert!(failed.is_empty(), "{agreed} agree, {} do not:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(agreed, 30);
}
