//! The ideal engine against published footprints (models.md §3, publishers' configurations).
#![expect(clippy::unwrap_used, reason = "a test that cannot read its answer has failed")]

use kvplan_core::plan::answer_line;
use serde_json::{Value, json};

fn answer(request: &Value) -> Value {
    serde_json::from_str(&answer_line(&request.to_string())).unwrap()
}

#[test]
fn qwen3_8b_needs_4608_mib_at_32k() {
    let plan = answer(&json!({ "id": 7, "model": "qwen3-8b", "context": 32768 }));
    assert_eq!(plan["id"], 7);
    assert_eq!(plan["kv"]["payload_bytes"], 4608u64 << 20);
    assert_eq!(plan["kv"]["bytes_per_token"], 147_456);
    assert_eq!(plan["kv"]["waste_bytes"], 0);
    assert_eq!(plan["kv"]["by_role"], json!({ "k": 2304u64 << 20, "v": 2304u64 << 20 }));
}

#[test]
fn the_short_spec_form_needs_no_catalogue() {
    // Llama-3.1-8B: 131,072 bytes a token.
    let layers = json!([{ "count": 32, "kind": "full", "kv_heads": 8, "k_dim": 128, "v_dim": 128 }]);
    let plan = answer(&json!({ "model": { "spec": { "layers": layers } }, "context": 1, "sequences": 3 }));
    assert_eq!(plan["kv"]["payload_bytes"], 3 * 131_072);
    assert_eq!(plan["kv"]["bytes_per_token"], 131_072);
}

#[test]
fn a_merged_projection_halves_the_cache_and_says_so() {
    let plan = answer(&json!({ "model": "qwen3-8b", "context": 1024, "what_if": { "projections": "k=v" } }));
    assert_eq!(plan["kv"]["bytes_per_token"], 73_728);
    assert!(plan["assumptions"][0].as_str().unwrap().starts_with("what if K = V"));
}

#[test]
fn deepseek_v4_grows_by_the_published_average() {
    // DeepSeek-V4-Flash: 5,536 B/token of rows and 1,344 B/token of indexer keys at 2 bytes, 44,032 B of window rows.
    let layers = json!([
        { "count": 2, "kind": "compressed", "dim": 512, "window": 128, "ratio": 0 },
        { "count": 21, "kind": "compressed", "dim": 512, "window": 128, "ratio": 4, "indexer_dim": 128 },
        { "count": 20, "kind": "compressed", "dim": 512, "window": 128, "ratio": 128 },
    ]);
    let plan = answer(&json!({ "model": { "spec": { "layers": layers } }, "context": 32768 }));
    assert_eq!(plan["kv"]["bytes_per_token"], 5536 + 1344);
    assert_eq!(plan["kv"]["payload_bytes"], (5536 + 1344) * 32768 + 44_032 * 128);
}

#[test]
fn errors_name_the_field_and_the_value() {
    for (request, kind, field, value) in [
        (json!({ "model": "qwen3-8b" }), "missing-field", "context", Value::Null),
        (json!({ "context": 1 }), "missing-field", "model", Value::Null),
        (json!({ "model": "qwen3-8b", "contxt": 1 }), "invalid", "contxt", json!(1)),
        (json!({ "model": "qwen3-8b", "context": -1 }), "invalid", "context", json!(-1)),
        (
            json!({ "model": "qwen3-8b", "context": 1, "cache": { "v": "q9" } }),
            "invalid",
            "cache.v",
            json!("q9"),
        ),
        (json!({ "model": "qwen4-8b" }), "unknown-model", "model", json!("qwen4-8b")),
        (json!({ "model": "qwen3-8b", "context": u64::MAX }), "overflow", "", Value::Null),
        (
            json!({ "model": "qwen3-8b", "context": 1, "engine": { "name": "payload", "page": 1 } }),
            "invalid",
            "engine.page",
            json!(1),
        ),
        (
            json!({ "model": { "spec": { "layers": [{ "kind": "full", "kv_heads": 0, "k_dim": 1, "v_dim": 1 }] } }, "context": 1 }),
            "invalid",
            "model.spec.layers[0].kv_heads",
            json!(0),
        ),
    ] {
        let error = &answer(&request)["error"];
        assert_eq!(
            (error["kind"].as_str().unwrap(), error["field"].as_str().unwrap(), &error["value"]),
            (kind, field, &value),
            "{request}"
        );
    }
}

#[test]
fn a_list_is_not_an_object_even_where_its_entries_are_the_fields_in_order() {
    let listed =
        r#"["id", "qwen3-8b", null, 1024, null, null, {}, 0, null, null, [], {}, {}, null, {}, false]"#;
    assert_eq!(answer(&serde_json::from_str(listed).unwrap())["error"]["kind"], "invalid");
    let base = json!({ "model": "qwen3-8b", "context": 8 });
    for (field, list) in [
        ("cache", json!(["q8_0"])),
        ("placement", json!([1, 1, 1, 1, 1])),
        ("reserve", json!([0, 0])),
        ("workload", json!([0, 0])),
        ("what_if", json!(["k=v"])),
    ] {
        let mut request = base.clone();
        request[field] = list;
        let error = &answer(&request)["error"];
        assert_eq!((&error["kind"], &error["field"]), (&json!("invalid"), &json!(field)), "{request}");
    }
    let error = &answer(&json!({ "model": { "spec": ["toy"] }, "context": 8 }))["error"];
    assert_eq!((&error["kind"], &error["field"]), (&json!("invalid"), &json!("model.spec")));
}
