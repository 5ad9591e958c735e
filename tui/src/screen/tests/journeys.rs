//! What people come for, key by key, from the first screen.

use super::{app, of, press, screen};
use kvplan_core::plan::Request;
use kvplan_core::planner::view::headline::Word;
use serde_json::json;

/// Which weights and which cache reach 200,000 tokens on an RTX 5090: read from the first screen, taken by Enter.
#[test]
fn two_hundred_thousand_tokens_on_a_desk() {
    let mut app = app();
    let shown = screen(&mut app, 120, 40);
    for word in ["Q8_0", "Q6_K", "Q4_K_M", "q8_0", "262,144="] {
        assert!(shown.contains(word), "{word} is not on the first screen:\n{shown}");
    }
    // One row down are weights that reach it with an f16 cache; what that would come to is shown before it is taken.
    press(&mut app, "<Down>");
    let shown = screen(&mut app, 120, 40);
    assert!(shown.contains("Enter takes: context 131,072 → 2"), "{shown}");
    press(&mut app, "<Enter>c200000<Enter>");
    assert!(matches!(app.answers.headline.word, Word::Fits | Word::Barely), "{:?}", app.answers.headline);
    assert!(screen(&mut app, 120, 40).contains("-c 200000"));
}

/// An engine's log beside the plan: what it printed, what was planned, and whose figures are equal.
#[test]
fn a_log_against_the_plan() {
    let mut app = app();
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/logs/llama.cpp-8164-gpt-oss-20b.log");
    press(&mut app, &format!("o{log}<Enter>"));
    let shown = screen(&mut app, 120, 40);
    assert!(shown.contains("printed") && shown.contains("planned") && shown.contains("equal"), "{shown}");
    press(&mut app, "<Esc>");
    assert!(app.answers.plan.is_ok(), "{:?}", app.answers.headline);
    assert!(screen(&mut app, 120, 40).contains("gpt-oss-20b"));
}

#[test]
fn two_thousand_conversations_are_so_many_machines() {
    let asked = json!({ "model": "qwen3-8b", "engine": { "name": "vllm" }, "context": 40_000, "sequences": 2000,
        "weights": { "format": "bf16" }, "hardware": [{ "device": "h200-sxm-141gb", "count": 8 }], "placement": { "tp": 8 } });
    let mut app = of(Request::from_value(&asked).unwrap());
    assert_eq!(app.answers.headline.word, Word::Over);
    assert!(app.answers.fixes[0].text.contains("of 8 × h200-sxm-141gb"), "{:?}", app.answers.fixes);
    press(&mut app, "1");
    assert!(matches!(app.answers.headline.word, Word::Fits | Word::Barely), "{:?}", app.answers.headline);
}

/// At equal stored bytes, which codec errs least: codecs by stored bits, each with its measured error.
#[test]
fn codecs_at_equal_stored_bytes() {
    let mut app = app();
    press(&mut app, "<BackTab>");
    let shown = screen(&mut app, 120, 40);
    let line = |name: &str| shown.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    // At 8.25 bits, INT8 by head errs 1.65 % and FP8 by head 4.30 %.
    assert!(line("int8_per_token_head").contains("least"), "{shown}");
    assert!(!line("fp8_per_token_head").contains("least"), "{shown}");
    assert!(shown.contains("SmolLM2-135M"), "{shown}");
}

/// A config that is not understood: what of it is not, no figure, and the way back.
#[test]
fn a_config_that_is_not_understood_is_named_over_the_last_plan_and_taken_back() {
    let mut app = app();
    let before = app.planner.state().clone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.json");
    std::fs::write(&path, r#"{"model_type": "nobody_knows", "num_hidden_layers": 2, "hidden_size": 64}"#)
        .unwrap();
    press(&mut app, &format!("o{}<Enter>", path.display()));
    assert_eq!(app.answers.headline.word, Word::Unknown);
    assert!(app.answers.headline.first.contains("nobody_knows"), "{:?}", app.answers.headline);
    assert!(app.answers.plan.is_err() && app.answers.last.is_some());
    // The last plan's memory stays in sight.
    assert!(screen(&mut app, 120, 40).contains("cache 8.00"));
    press(&mut app, "u");
    assert_eq!(*app.planner.state(), before);
}
