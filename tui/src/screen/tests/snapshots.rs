//! The screens as they are drawn, at three sizes and in every state of the headline.

use super::super::app::App;
use super::{app, of, press, screen};
use kvplan_core::plan::Request;
use kvplan_core::planner::view::headline::Word;
use rstest::rstest;
use serde_json::json;

/// One pane, all of them, and room to spare.
const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn at_every_size(name: &str, app: &mut App) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}-{width}x{height}"), screen(app, width, height));
    }
}

#[test]
fn the_plan_at_every_size() {
    at_every_size("plan", &mut app());
}

#[rstest]
#[case::compare("<F2>", "compare")]
#[case::proof("<F3>", "proof")]
#[case::traces("<F4>", "traces")]
#[case::models("mqwen36", "models")]
#[case::palette("?undo", "palette")]
#[case::methods("<Tab><Tab><Tab>", "methods")]
#[case::engines("<Tab>", "engines")]
#[case::preview("<Up>", "preview")]
#[case::pinned("pc64k<Enter>", "pinned")]
#[case::typing("c12x<Enter>", "typing")]
#[case::figure("ii", "figure")]
#[case::exact("x", "exact")]
#[case::serving(
    "d8 x h200<Enter>evllm<Enter>mdeepseek-v4-flash<Enter>w160GB<Enter>c1M<Enter>fsessions<Enter>2000<Enter>ftypical<Enter>180000<Enter>fp95<Enter>700000<Enter>fprefix<Enter>40000<Enter>",
    "serving"
)]
fn every_screen(#[case] keys: &str, #[case] name: &str) {
    let mut app = app();
    press(&mut app, keys);
    at_every_size(&format!("screen-{name}"), &mut app);
}

/// Whatever a headline says is read to the end, at the size of the design and on a small screen.
fn is_read_to_the_end(app: &mut App) {
    for (width, height) in SIZES {
        let shown: Vec<String> = screen(app, width, height).split_whitespace().map(str::to_owned).collect();
        let said = [
            app.answers.headline.first.clone(),
            match app.answers.fixes.as_slice() {
                [] => app.answers.headline.second.clone(),
                fixes => fixes.iter().map(|fix| fix.text.clone()).collect::<Vec<_>>().join(" "),
            },
        ];
        for sentence in said {
            let words: Vec<String> = sentence.split_whitespace().map(str::to_owned).collect();
            let found = words.is_empty() || shown.windows(words.len()).any(|at| at == words);
            let apart = !app.answers.fixes.is_empty() && words.iter().all(|word| shown.contains(word));
            assert!(found || apart, "{width}x{height}: {sentence}");
        }
    }
}

#[test]
fn a_fleets_headline_is_read_to_the_end() {
    let mut app = app();
    press(
        &mut app,
        "d8 x h200<Enter>evllm<Enter>mdeepseek-v4-flash<Enter>w160GB<Enter>c1M<Enter>fsessions<Enter>20000<Enter>",
    );
    press(&mut app, "ftypical<Enter>180000<Enter>fp95<Enter>700000<Enter>fprefix<Enter>40000<Enter>");
    assert!(app.answers.headline.first.contains("20,000 sessions take"), "{:?}", app.answers.headline);
    is_read_to_the_end(&mut app);
}

#[rstest]
#[case::fits(json!({}), Word::Fits)]
#[case::barely(json!({ "context": 262_144 }), Word::Barely)]
#[case::over(json!({ "weights": { "format": "Q8_0" } }), Word::Over)]
#[case::needs(json!({ "hardware": [] }), Word::Needs)]
#[case::refused(json!({ "engine": { "name": "llama.cpp", "flash_attn": "off" }, "cache": { "v": "q8_0" } }), Word::Refused)]
#[case::unknown(json!({ "model": "no-such-model" }), Word::Unknown)]
#[case::pool(json!({ "engine": { "name": "vllm", "kv_cache_memory_bytes": 10_000_000_000_u64 }, "weights": { "format": "nvfp4" }, "context": 65_536 }), Word::Fits)]
fn every_headline(#[case] change: serde_json::Value, #[case] word: Word) {
    let mut asked = json!({ "model": "qwen3.6-27b", "engine": { "name": "llama.cpp" }, "context": 131_072,
        "weights": { "format": "Q4_K_M" }, "hardware": [{ "device": "rtx-5090" }] });
    for (name, value) in change.as_object().unwrap() {
        asked[name] = value.clone();
    }
    let mut app = of(Request::from_value(&asked).unwrap());
    assert_eq!(app.answers.headline.word, word);
    is_read_to_the_end(&mut app);
    let name = <&str>::from(word).to_lowercase();
    let pool = if asked["engine"]["name"] == "vllm" { "-pool" } else { "" };
    at_every_size(&format!("headline-{name}{pool}"), &mut app);
}
