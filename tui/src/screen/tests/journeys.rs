//! What people come for, key by key, from the first screen.

use super::super::app::{Deed, Pane};
use super::super::proof::Shown;
use super::{app, press, screen};
use kvplan_core::plan::WeightsRequest;
use kvplan_core::planner::view::headline::Word;

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

/// How many nodes for 2,000 sessions of 180,000 tokens on average, 700,000 for one in twenty, 40,000 of them the same?
#[test]
fn nodes_for_two_thousand_sessions() {
    let mut app = app();
    press(&mut app, "d8 x h200<Enter>evllm<Enter>mdeepseek-v4-flash<Enter>w160GB<Enter>c1M<Enter>");
    press(
        &mut app,
        "fsessions<Enter>2000<Enter>ftypical<Enter>180000<Enter>fp95<Enter>700000<Enter>fprefix<Enter>40000<Enter>",
    );
    // The size that was typed, though a format's looks like it.
    assert_eq!(app.planner.state().request.weights, Some(WeightsRequest::Bytes(160_000_000_000)));
    let headline = &app.answers.headline;
    assert!(matches!(headline.word, Word::Fits | Word::Barely), "{headline:?}");
    assert!(headline.first.starts_with("2,000 sessions take "), "{headline:?}");
    assert!(headline.first.contains(" nodes of 8 devices at typical length"), "{headline:?}");
    let plan = app.answers.plan.as_ref().unwrap();
    let nodes = plan.serving.as_ref().unwrap().typical.as_ref().unwrap().replicas.unwrap();
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let shown = screen(&mut app, width, height);
        assert!(shown.contains(&format!("2,000 sessions take {nodes} nodes")), "{shown}");
    }
    let shown = screen(&mut app, 120, 40);
    for word in ["SERVING", "full length", "19 of 20 below", "are kept once"] {
        assert!(shown.contains(word), "{word} is not in\n{shown}");
    }
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

/// What is known of it all the same: the weights of the file beside the config, a spec to fill in, a report to send.
#[test]
fn a_model_that_is_not_understood_is_described_by_hand_and_planned() {
    let mut app = app();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let known = r#"{"model_type": "nobody_knows", "num_hidden_layers": 2, "hidden_size": 512, "num_attention_heads": 8}"#;
    std::fs::write(&config, known).unwrap();
    // A file of one tensor: 1,024 elements of 2 bytes.
    let header = r#"{"a":{"dtype":"BF16","shape":[1024],"data_offsets":[0,2048]}}"#;
    let mut file = u64::try_from(header.len()).unwrap().to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend([0; 2048]);
    std::fs::write(folder.path().join("model.safetensors"), file).unwrap();
    press(&mut app, &format!("o{}<Enter>", config.display()));
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let shown = screen(&mut app, width, height);
        for words in ["Weights alone: 2.00 KiB, exact.", "[1] describe it", "[2] report"] {
            assert!(shown.contains(words), "{words} is not in\n{shown}");
        }
    }
    let copied = press(&mut app, "2");
    let [Deed::Copy { text, .. }] = copied.as_slice() else { panic!("{copied:?}") };
    assert!(text.contains("nobody_knows") && text.contains("num_attention_heads"), "{text}");
    press(&mut app, "<Esc>1");
    let spec = folder.path().join("mine.toml");
    "model.toml".chars().for_each(|_| drop(app.key(crossterm::event::KeyCode::Backspace.into())));
    press(&mut app, &format!("{}<Enter>", spec.display()));
    let open = std::fs::read_to_string(&spec).unwrap();
    assert!(screen(&mut app, 120, 40).contains("[[layers]]"));
    std::fs::write(&spec, open.replace("kind = \"?\"", "kind = \"full\"")).unwrap();
    press(&mut app, &format!("<Esc>o{}<Enter>c1024<Enter>", spec.display()));
    let plan = app.answers.plan.as_ref().unwrap();
    // 2 layers × 1,024 tokens × 8 heads × 64 × 2 bytes, of keys and of values.
    assert_eq!(plan.kv.allocated_bytes.get(), 2 * 1024 * 8 * 64 * 2 * 2);
}

/// Whom it is for, each a state that fits, and the way back.
#[test]
fn the_examples_are_states_like_any_other() {
    let mut app = app();
    let before = app.planner.state().clone();
    for (name, words) in
        [("local", "RTX 5090"), ("serving", "2,000 sessions take"), ("research", "BITS AGAINST ERROR")]
    {
        press(&mut app, &format!("E{name}<Enter>"));
        assert!(matches!(app.answers.headline.word, Word::Fits | Word::Barely), "{:?}", app.answers.headline);
        let shown = screen(&mut app, 200, 60);
        assert!(shown.contains(words), "{words} is not in\n{shown}");
    }
    press(&mut app, "uuu");
    assert_eq!(app.planner.state().request, before.request);
}

/// What the proof came to stands where the arithmetic is, on every screen.
#[test]
fn the_plan_says_what_was_proved_in_a_line() {
    let mut app = app();
    let line = "31 codecs proved here, byte-equal".to_owned();
    app.proof = Shown::Found { table: String::new(), line: line.clone() };
    press(&mut app, "<F1>");
    assert!(screen(&mut app, 120, 40).contains(&line) && screen(&mut app, 200, 60).contains(&line));
    app.pane = Pane::Why;
    assert!(screen(&mut app, 80, 24).contains(&line));
}
