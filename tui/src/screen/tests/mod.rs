//! The planner driven by keys and looked at: what is on the screen, what a key does, and that nothing panics.

mod journeys;
mod snapshots;

use super::app::{App, Deed, Mode};
use super::command::{Bindings, Command};
use super::layout;
use super::mouse;
use super::panel;
use super::theme::{Palette, Theme};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use kvplan_core::plan::{HardwareEntry, Request};
use kvplan_core::planner::view::headline::Word;
use kvplan_core::planner::{Action, Field, Figure, Lens, State, Tab, link};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;
use serde_json::json;
use strum::IntoEnumIterator as _;

fn hardware() -> Vec<HardwareEntry> {
    serde_json::from_value(
        json!([{ "device": "rtx-5090" }, { "device": "cpu", "memory_bytes": 64_u64 << 30 }]),
    )
    .unwrap()
}

/// A 27B model with 128k on a desk, where most alternatives reach further.
fn example() -> Request {
    let asked = json!({ "model": "qwen3.6-27b", "engine": { "name": "llama.cpp" }, "context": 131_072,
        "weights": { "format": "Q6_K" }, "hardware": hardware() });
    Request::from_value(&asked).unwrap()
}

/// A model of three layers: soon computed.
fn small() -> Request {
    let full = json!({ "count": 2, "kind": "full", "kv_heads": 2, "k_dim": 64, "v_dim": 64 });
    let window =
        json!({ "count": 1, "kind": "window", "window": 512, "kv_heads": 2, "k_dim": 64, "v_dim": 64 });
    let asked = json!({ "model": { "spec": { "layers": [full, window], "trained_context": 131_072 } },
        "engine": { "name": "llama.cpp" }, "context": 65_536, "weights": { "bytes": 30_000_000_000_u64 },
        "hardware": [{ "device": "rtx-5090" }] });
    Request::from_value(&asked).unwrap()
}

fn app() -> App {
    App::new(State::of(example()), Theme::of(Palette::None, false), Bindings::default())
}

/// A planner of a request. Engines are its alternatives: they are soon computed, and hundreds of these are made.
fn of(request: Request) -> App {
    let mut state = State::of(request);
    state.view.lens = Lens::Engines;
    App::new(state, Theme::of(Palette::None, false), Bindings::default())
}

/// The screen as text.
fn screen(app: &mut App, width: u16, height: u16) -> String {
    app.compact = layout::is_compact(Rect::new(0, 0, width, height));
    app.finish();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| panel::render(app, frame.area(), frame.buffer_mut())).unwrap();
    super::svg::text(terminal.backend().buffer())
}

/// Keys as they are written: names in angle brackets, letters as they are.
fn press(app: &mut App, keys: &str) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut rest = keys;
    while let Some(first) = rest.chars().next() {
        let (code, length) = match rest.strip_prefix('<').and_then(|tail| tail.split_once('>')) {
            Some((name, _)) => {
                let code = match name {
                    "Enter" => KeyCode::Enter,
                    "Esc" => KeyCode::Esc,
                    "Up" => KeyCode::Up,
                    "Down" => KeyCode::Down,
                    "Left" => KeyCode::Left,
                    "Right" => KeyCode::Right,
                    "PgUp" => KeyCode::PageUp,
                    "PgDn" => KeyCode::PageDown,
                    "Tab" => KeyCode::Tab,
                    "BackTab" => KeyCode::BackTab,
                    "F1" => KeyCode::F(1),
                    "F2" => KeyCode::F(2),
                    "F3" => KeyCode::F(3),
                    "F4" => KeyCode::F(4),
                    other => panic!("no key {other}"),
                };
                (code, name.len() + 2)
            }
            None => (KeyCode::Char(first), first.len_utf8()),
        };
        match app.key(KeyEvent::new(code, KeyModifiers::NONE)) {
            // What the terminal's loop would read.
            Some(Deed::Open(text)) => {
                let opened = super::open::open(&text, &app.planner.state().request);
                app.opened(opened);
            }
            Some(Deed::Write { path, text }) => {
                let written = std::fs::write(&path, &text);
                app.described(&path, &text, written);
            }
            deed => deeds.extend(deed),
        }
        rest = &rest[length..];
    }
    deeds
}

#[test]
fn ascii_is_ascii_on_every_screen() {
    let mut app = app();
    app.theme = Theme::of(Palette::None, true);
    for keys in ["", "<Tab>", "<F2>", "<F3>", "<F4>", "<F1>?", "<Esc>d", "<Esc>o"] {
        press(&mut app, keys);
        let shown = screen(&mut app, 120, 40);
        let odd: Vec<char> = shown.chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "{keys}: {odd:?}");
    }
}

#[test]
fn a_person_types_a_context_and_takes_it_back() {
    let mut app = app();
    let before = app.planner.state().clone();
    press(&mut app, "c96k<Enter>");
    assert_eq!(app.planner.state().request.context, Some(98_304));
    press(&mut app, "4096<Enter>");
    assert_eq!(app.planner.state().request.context, Some(4096));
    press(&mut app, "uu");
    assert_eq!(app.planner.state().request, before.request);
    press(&mut app, "U");
    assert_eq!(app.planner.state().request.context, Some(98_304));
}

#[test]
fn a_line_feed_is_enter_and_no_letter() {
    let mut app = app();
    press(&mut app, "c96k");
    app.key(KeyEvent::new(KeyCode::Char('b'), KeyModifiers::CONTROL));
    app.key(KeyEvent::new(KeyCode::Char('j'), KeyModifiers::CONTROL));
    assert_eq!(app.planner.state().request.context, Some(98_304));
}

#[test]
fn what_other_programs_hold_is_found_later_and_the_first_open_still_fits() {
    let cards = vec![serde_json::from_value(json!({ "device": "rtx-5090" })).unwrap()];
    let opened = super::first::request(cards.clone(), None, 0);
    let mut app = App::new(State::of(opened), Theme::of(Palette::None, false), Bindings::default());
    app.machine = Some((cards, "detected"));
    app.found_in_use(2 << 30);
    let request = app.planner.state().request.clone();
    assert_eq!(request.reserve.in_use_bytes, 2 << 30);
    assert_eq!(app.answers.headline.word, Word::Fits, "{:?}", app.answers.headline);
    // What a person has set stays.
    press(&mut app, "c200k<Enter>");
    app.planner.update(Action::Set { field: Field::InUse, to: None }).unwrap();
    app.found_in_use(1 << 30);
    assert_eq!(app.planner.state().request.context, Some(204_800));
}

#[test]
fn held_arrows_are_one_step_and_a_stop_says_its_name() {
    let mut app = app();
    let before = app.planner.state().clone();
    press(&mut app, "<Left><Left><Left><Left>");
    press(&mut app, "u");
    assert_eq!(app.planner.state().request, before.request);
    for _ in 0..20 {
        press(&mut app, "<PgUp>");
        if app.said.as_deref().is_some_and(|said| said.contains("the model's own limit")) {
            return;
        }
    }
    panic!("the model's limit was never named: {:?}", app.said);
}

#[test]
fn the_largest_context_fits_and_says_what_bounds_it() {
    let mut app = app();
    press(&mut app, "wQ6_K<Enter>=");
    let plan = app.answers.plan.as_ref().unwrap();
    assert_eq!(Some(plan.context.get()), plan.fit.max_context);
    assert!(app.said.as_deref().unwrap().contains("memory runs out"), "{:?}", app.said);
}

#[test]
fn over_a_digit_takes_a_way_out() {
    let mut app = app();
    press(&mut app, "wBF16<Enter>");
    assert_eq!(app.answers.headline.word, Word::Over);
    assert!(!app.answers.fixes.is_empty());
    press(&mut app, "1");
    assert!(matches!(app.answers.headline.word, Word::Fits | Word::Barely), "{:?}", app.answers.headline);
    press(&mut app, "u");
    assert_eq!(app.answers.headline.word, Word::Over);
}

/// Engines are dozens of plans: they are compared once a change, and where they are looked at.
#[test]
fn engines_are_compared_once_a_change_and_only_where_they_are_seen() {
    let mut app = app();
    let compared = |app: &App| app.answers.engines.as_ref().map(|(_, asked)| asked.0.context);
    let _ = screen(&mut app, 120, 40);
    assert_eq!(compared(&app), None);
    press(&mut app, "<F2>");
    assert!(screen(&mut app, 120, 40).contains("tensorrt-llm"));
    assert!(!app.finish(), "nothing has changed");
    press(&mut app, "c64k<Enter>");
    assert!(app.finish());
    assert_eq!(compared(&app), Some(Some(65_536)));
    let drawn = screen(&mut app, 120, 40);
    press(&mut app, "g");
    assert_ne!(screen(&mut app, 120, 40), drawn);
}

#[test]
fn a_refused_plan_keeps_the_last_one_greyed_and_is_no_dead_end() {
    let mut app = app();
    app.act(Action::EngineOption { name: "flash_attn".into(), value: Some("off".into()) });
    press(&mut app, "vq8_0<Enter>");
    assert_eq!(app.answers.headline.word, Word::Refused);
    assert!(app.answers.plan.is_err() && app.answers.last.is_some());
    press(&mut app, "1");
    assert!(app.answers.plan.is_ok());
}

#[test]
fn copying_gives_what_can_be_run_and_what_can_be_reopened() {
    let mut app = app();
    let copied = |deeds: Vec<Deed>| match deeds.as_slice() {
        [Deed::Copy { text, .. }] => text.clone(),
        other => panic!("{other:?}"),
    };
    let command = copied(press(&mut app, "y"));
    assert!(command.contains("llama-server") && command.contains("-c 131072"), "{command}");
    let state = copied(press(&mut app, "Y"));
    assert_eq!(link::read(&state).unwrap().state.request, app.planner.state().request);
    let json = copied(press(&mut app, "J"));
    assert_eq!(Request::parse(json.as_bytes()).unwrap(), app.planner.state().request);
    assert_eq!(press(&mut app, "q"), [Deed::Quit]);
}

#[test]
fn the_palette_does_what_it_finds() {
    let mut app = app();
    press(&mut app, "?GiB or GB<Enter>");
    assert_eq!(app.planner.state().view.units, kvplan_core::planner::Units::GB);
}

#[test]
fn a_pointer_lights_a_part_takes_a_cell_and_drags_the_context() {
    let mut app = app();
    let area = Rect::new(0, 0, 120, 40);
    let at = panel::areas(&app, area);
    let event = |kind, column, row| MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
    let down = MouseEventKind::Down(MouseButton::Left);
    mouse::mouse(&mut app, event(down, 14, at.memory.y + 1), area);
    assert!(matches!(app.planner.state().view.figure, Figure::Part(_)));
    let before = app.planner.state().request.context;
    let drag = MouseEventKind::Drag(MouseButton::Left);
    for x in [30, 31, 32] {
        mouse::mouse(&mut app, event(drag, at.curve.x + x, at.curve.y + 4), area);
    }
    assert_ne!(app.planner.state().request.context, before);
    mouse::mouse(&mut app, event(MouseEventKind::Up(MouseButton::Left), 0, 0), area);
    press(&mut app, "u");
    assert_eq!(app.planner.state().request.context, before);
    // The capacity line is pulled down: what is above it is kept free.
    let plot = super::panel::curve::Plot::of(&app, at.curve).unwrap();
    let line = at.curve.y + 1 + plot.capacity(&app).unwrap();
    mouse::mouse(&mut app, event(down, at.curve.x + 20, line), area);
    mouse::mouse(&mut app, event(drag, at.curve.x + 20, line + 2), area);
    assert!(app.planner.state().request.reserve.keep_free_bytes >= 1 << 30);
    assert_eq!(app.planner.state().request.context, before);
    mouse::mouse(&mut app, event(MouseEventKind::Up(MouseButton::Left), 0, 0), area);
    press(&mut app, "u");
    assert_eq!(app.planner.state().request.reserve.keep_free_bytes, 0);
    // Pulled up it is the next larger card of the maker, once a pull.
    let device = |app: &App| app.planner.state().request.hardware[0].device.clone();
    mouse::mouse(&mut app, event(down, at.curve.x + 20, line), area);
    mouse::mouse(&mut app, event(drag, at.curve.x + 20, at.curve.y + 1), area);
    let card = device(&app);
    let memory = |id: &str| kvplan_core::hardware::catalog::find(id).unwrap().memory().unwrap();
    assert!(memory(&card) > memory("rtx-5090") && memory(&card) < memory("h100-sxm-80gb"), "{card}");
    assert!(app.said.as_deref().unwrap().contains("GiB"), "{:?}", app.said);
    mouse::mouse(&mut app, event(MouseEventKind::Up(MouseButton::Left), 0, 0), area);
    press(&mut app, "u");
    assert_eq!(device(&app), "rtx-5090");
    let row = at.table.y + 3;
    let x = (at.table.x..at.table.x + at.table.width)
        .find(|x| {
            mouse::mouse(&mut app, event(down, *x, row), area);
            app.cursor.is_some()
        })
        .unwrap();
    assert!(x > at.table.x);
    mouse::mouse(&mut app, event(down, 20, 0), area);
    assert_eq!(app.planner.state().view.tab, Tab::Compare);
}

#[test]
fn a_cache_type_that_the_engine_refuses_says_so_in_the_list() {
    let mut app = app();
    press(&mut app, "k");
    let Mode::Pick(list) = &app.mode else { panic!("no list") };
    let of = |name: &str| list.found().position(|item| item.label == name).unwrap();
    let detail = |name: &str| list.found().nth(of(name)).unwrap().detail.clone();
    assert!(detail("fp8_e4m3").starts_with("refused: ") && !detail("q8_0").contains("refused"));
    assert!(of("q8_0") < of("default") && of("default") < of("fp8_e4m3"));
}

#[test]
fn a_draft_is_chosen_like_a_model_and_its_weights_and_types_after_it() {
    let mut app = app();
    press(&mut app, "mllama-3.1-8b<Enter>wq4_k_m<Enter>");
    let alone = app.planner.state().request.clone();
    let spare = |app: &App| app.answers.plan.as_ref().unwrap().fit.spare_bytes.unwrap();
    let before = spare(&app);
    press(&mut app, "D3.2-1b<Enter>");
    let extras = |app: &App| serde_json::to_value(&app.planner.state().request.extras).unwrap();
    assert_eq!(extras(&app), json!({ "draft": "llama-3.2-1b", "draft_weights": { "format": "Q4_K_M" } }));
    assert!(spare(&app) < before);
    press(
        &mut app,
        "fdraft w<Enter>q8_0<Enter>fdraft cache k<Enter>q8_0<Enter>fprojector<Enter>878MB<Enter>",
    );
    let all = json!({ "draft": "llama-3.2-1b", "draft_weights": { "format": "Q8_0" }, "draft_cache": { "k": "q8_0" },
        "projector_bytes": 878_000_000 });
    assert_eq!(extras(&app), all);
    let shown = screen(&mut app, 120, 40);
    assert!(
        shown.contains("draft llama-3.2-1b Q8_0, K q8_0") && shown.contains("beside the model"),
        "{shown}"
    );
    press(&mut app, "fdraft w<Enter>2 GB<Enter>");
    assert_eq!(extras(&app)["draft_weights"], json!({ "bytes": 2_000_000_000_u64 }));
    press(&mut app, "Dnone<Enter>fprojector<Enter><Enter>");
    assert_eq!(app.planner.state().request, alone);
}

#[test]
fn drafts_that_read_the_same_tokens_come_first_and_are_smaller_than_the_model() {
    let mut app = app();
    press(&mut app, "mqwen3-8b<Enter>D");
    let Mode::Pick(list) = &app.mode else { panic!("no list") };
    let found: Vec<_> = list.found().collect();
    // The vocabulary of Qwen3 is 151,936 tokens (Qwen/Qwen3-0.6B config.json), that of Llama 3.2 128,256.
    assert_eq!(found[0].label, "qwen3-0.6b");
    let at = |id: &str| found.iter().position(|item| item.label == id);
    assert!(at("qwen3-8b").is_none() && at("qwen3-32b").is_none());
    assert!(at("qwen3-4b") < at("llama-3.2-1b"));
    assert!(found[at("llama-3.2-1b").unwrap()].detail.contains("128,256 tokens, not 151,936"));
}

#[test]
fn every_option_of_an_engine_is_set_from_its_list_or_typed() {
    let mut app = app();
    let options = |app: &App| serde_json::to_value(&app.planner.state().request.engine).unwrap();
    press(&mut app, "fkv_unified<Enter>true<Enter>fn_ubatch<Enter>256<Enter>fctx_type<Enter>mtp<Enter>");
    let all = json!({ "name": "llama.cpp", "kv_unified": true, "n_ubatch": 256, "ctx_type": "mtp" });
    assert_eq!(options(&app), all);
    press(&mut app, "fctx_type<Enter>default<Enter>fn_ubatch<Enter><Enter>");
    assert!(screen(&mut app, 120, 40).contains("kv_unified true"));
    press(&mut app, "fkv_unified<Enter>default<Enter>");
    assert_eq!(options(&app), json!({ "name": "llama.cpp" }));
    // What it cannot be is said where it is typed.
    press(&mut app, "fn_ubatch<Enter>many<Enter>");
    assert!(matches!(&app.mode, Mode::Type(entry) if entry.wrong.is_some()), "{:?}", app.mode);
}

/// A key a person may press, at random.
fn keys() -> impl Strategy<Value = KeyEvent> {
    let named = proptest::sample::select(vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageUp,
        KeyCode::PageDown,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Backspace,
        KeyCode::F(1),
        KeyCode::F(2),
    ]);
    let letters = proptest::char::range('!', '~').prop_map(KeyCode::Char);
    prop_oneof![2 => named, 3 => letters].prop_map(|code| KeyEvent::new(code, KeyModifiers::NONE))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_keys_make_it_panic_and_undo_brings_the_beginning_back(
        keys in proptest::collection::vec(keys(), 0..14), width in 10..220u16, height in 4..70u16,
    ) {
        let mut app = of(small());
        let first = app.planner.state().clone();
        for key in keys {
            app.key(key);
        }
        let _ = screen(&mut app, width, height);
        app.mode = Mode::Browse;
        let last = app.planner.state().clone();
        let mut undone = 0;
        while app.planner.steps().0 > 0 {
            app.run(Command::Undo);
            undone += 1;
        }
        let began = State { view: last.view, ..first };
        prop_assert_eq!(app.planner.state(), &began);
        for _ in 0..undone {
            app.run(Command::Redo);
        }
        prop_assert_eq!(app.planner.state(), &last);
    }
}

#[test]
fn every_command_is_harmless_from_every_tab() {
    for tab in Tab::iter() {
        let mut app = of(small());
        for command in Command::iter() {
            app.mode = Mode::Browse;
            app.act(Action::Tab(tab));
            app.run(command);
            let _ = screen(&mut app, 120, 40);
            let _ = screen(&mut app, 80, 24);
        }
    }
}
