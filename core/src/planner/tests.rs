use super::*;
use crate::cache::Knob;
use proptest::prelude::*;
use serde_json::json;
use strum::IntoEnumIterator as _;

fn planner() -> Planner {
    let mut planner = Planner::new(State::of_model("qwen3-8b"));
    planner.update(Action::Engine(EngineName::LlamaCpp)).unwrap();
    planner.update(Action::Set { field: Field::Context, to: Some(8192) }).unwrap();
    planner
}

fn set(field: Field, to: u64) -> Action {
    Action::Set { field, to: Some(to) }
}

#[test]
fn the_planner_asks_what_the_command_line_asks() {
    let asked = json!({ "model": "qwen3-8b", "engine": { "name": "llama.cpp" }, "context": 8192, "cache": { "k": "q8_0" } });
    let mut planner = planner();
    planner.update(Action::Cache { knob: Knob::K, codec: Some("q8_0".into()) }).unwrap();
    assert_eq!(planner.plan(), plan::plan(&Request::from_value(&asked).unwrap()));
}

#[test]
fn a_drag_is_one_step_and_typing_another() {
    let mut planner = planner();
    let before = planner.state().clone();
    for to in [9000, 10_000, 11_000] {
        planner.update(Action::Drag { field: Field::Context, to: Some(to) }).unwrap();
    }
    assert_eq!(planner.before(), Some(&before.request));
    planner.update(Action::Settle).unwrap();
    planner.update(Action::Drag { field: Field::Context, to: Some(12_000) }).unwrap();
    planner.update(Action::Undo).unwrap();
    assert_eq!(planner.state().request.context, Some(11_000));
    planner.update(Action::Undo).unwrap();
    assert_eq!(*planner.state(), before);
}

#[test]
fn an_undo_keeps_the_screen_and_a_redo_brings_the_numbers_back() {
    let mut planner = planner();
    planner.update(set(Field::Context, 4096)).unwrap();
    planner.update(Action::Tab(Tab::Compare)).unwrap();
    planner.update(Action::Undo).unwrap();
    assert_eq!((planner.state().request.context, planner.state().view.tab), (Some(8192), Tab::Compare));
    planner.update(Action::Redo).unwrap();
    assert_eq!(planner.state().request.context, Some(4096));
}

#[test]
fn an_invalid_input_is_an_error_and_changes_nothing() {
    let mut planner = planner();
    let before = planner.state().clone();
    for action in [
        Action::Cache { knob: Knob::V, codec: Some("q9_0".into()) },
        Action::EngineOption { name: "n_ctxx".into(), value: Some(json!(1)) },
        Action::EngineOption { name: "n_ubatch".into(), value: Some(json!("many")) },
        Action::Weights(Some(WeightsRequest::Format("Q9_Z".into()))),
    ] {
        planner.update(action.clone()).expect_err(&format!("{action:?}"));
        assert_eq!(*planner.state(), before);
    }
    planner.update(Action::Engine(EngineName::Vllm)).unwrap();
    planner.update(set(Field::GpuLayers, 3)).expect_err("vLLM has no -ngl");
}

#[test]
fn what_an_engine_refuses_is_a_state_whose_plan_is_the_refusal() {
    let mut planner = planner();
    planner.update(Action::EngineOption { name: "flash_attn".into(), value: Some(json!("off")) }).unwrap();
    planner.update(Action::Cache { knob: Knob::V, codec: Some("q8_0".into()) }).unwrap();
    assert_eq!(planner.plan().unwrap_err().kind, crate::error::ErrorKind::EngineRefuses);
}

#[test]
fn a_typed_number_wins_over_the_option_that_stood_for_it_and_says_so() {
    let asked = json!({ "model": "qwen3-8b", "engine": { "name": "llama.cpp", "n_ctx": 65_536, "n_seq_max": 4, "type_k": "q4_0" } });
    let mut planner = Planner::new(State::of(Request::from_value(&asked).unwrap()));
    assert_eq!(planner.plan().unwrap().context.get(), 16_384);
    let effect = planner.update(set(Field::Context, 8192)).unwrap();
    assert_eq!(effect.dropped, ["n_ctx"]);
    assert_eq!(planner.plan().unwrap().context.get(), 8192);
    let effect = planner.update(Action::Cache { knob: Knob::K, codec: Some("q8_0".into()) }).unwrap();
    assert_eq!(effect.dropped, ["type_k"]);
    assert!(planner.plan().unwrap().kv.stores.iter().any(|store| store.codec == "q8_0"));
}

#[test]
fn setting_one_side_keeps_the_codec_that_was_given_for_both() {
    let asked = json!({ "model": "qwen3-8b", "context": 1024, "cache": { "kv": "q8_0" } });
    let mut planner = Planner::new(State::of(Request::from_value(&asked).unwrap()));
    planner.update(Action::Cache { knob: Knob::V, codec: Some("q4_0".into()) }).unwrap();
    let cache = &planner.state().request.cache;
    assert_eq!(
        (cache.kv.as_deref(), cache.k.as_deref(), cache.v.as_deref()),
        (None, Some("q8_0"), Some("q4_0"))
    );
}

#[test]
fn the_largest_stays_the_largest_until_it_is_typed_over() {
    let asked = json!({ "model": "qwen3.6-27b", "engine": { "name": "llama.cpp" }, "context": 4096,
        "weights": { "format": "Q6_K" }, "hardware": [{ "device": "rtx-5090" }] });
    let mut planner = Planner::new(State::of(Request::from_value(&asked).unwrap()));
    let most = |planner: &Planner| planner.plan().unwrap().fit.max_context;
    let context = |planner: &Planner| planner.state().request.context;
    planner.update(Action::Largest(Field::Context)).unwrap();
    let first = context(&planner);
    assert_eq!(first, most(&planner));
    planner.update(Action::Weights(Some(WeightsRequest::Format("Q8_0".into())))).unwrap();
    assert!(context(&planner) < first && context(&planner) == most(&planner));
    planner.update(Action::Undo).unwrap();
    assert_eq!((context(&planner), planner.state().largest), (first, Some(Field::Context)));
    planner.update(set(Field::Context, 1000)).unwrap();
    planner.update(Action::Weights(None)).unwrap();
    assert_eq!((context(&planner), planner.state().largest), (Some(1000), None));
    let error = planner.update(Action::Largest(Field::TensorParallel)).unwrap_err();
    assert_eq!(error.kind, crate::error::ErrorKind::Unsupported);
}

/// By what the plan itself says: nothing is left, and a byte, a layer or a token more is over.
#[test]
fn every_number_that_something_bounds_can_be_kept_at_the_largest() {
    let asked = json!({ "model": "gpt-oss-20b", "engine": { "name": "llama.cpp" }, "context": 131_072,
        "weights": { "format": "Q4_K_M" },
        "hardware": [{ "device": "rtx-4090" }, { "device": "cpu", "memory_bytes": 64_u64 << 30 }] });
    for field in [Field::KeepFree, Field::InUse, Field::GpuLayers, Field::Projector, Field::Adapters] {
        let mut planner = Planner::new(State::of(Request::from_value(&asked).unwrap()));
        planner.update(Action::Largest(field)).unwrap();
        let fits = |planner: &Planner| {
            planner.plan().is_ok_and(|plan| plan.fit.state != crate::placement::State::Over)
        };
        assert!(fits(&planner), "{field}");
        let most = field.get(&planner.state().request).unwrap();
        assert_eq!(planner.state().largest, Some(field));
        // More memory, and it follows.
        let larger = json!([{ "device": "rtx-5090" }, { "device": "cpu", "memory_bytes": 64_u64 << 30 }]);
        planner.update(Action::Devices(serde_json::from_value(larger).unwrap())).unwrap();
        let more = field.get(&planner.state().request).unwrap();
        assert!(
            if field == Field::GpuLayers { more >= most } else { more > most },
            "{field}: {most}, {more}"
        );
        if field != Field::GpuLayers {
            planner.update(set(field, more + 1)).unwrap();
            assert!(!fits(&planner), "{field}");
        }
    }
}

/// As `kvplan plan --draft llama-3.2-1b --draft-weights Q8_0 --draft-cache q8_0 --projector 878MB` asks.
#[test]
fn what_lives_beside_the_model_is_set_as_the_command_line_sets_it() {
    let alone = json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp" }, "context": 32_768,
        "weights": { "format": "Q4_K_M" }, "hardware": [{ "device": "rtx-4090" }] });
    let mut planner = Planner::new(State::of(Request::from_value(&alone).unwrap()));
    let codec = |codec: &str| Some(codec.to_owned());
    let weights = |planner: &Planner| planner.state().request.extras.clone().unwrap().draft_weights;
    let draft = |id: &str| Action::Draft(Some(ModelRef::Id(id.into())));
    planner.update(Action::DraftCache { knob: Knob::K, codec: codec("q8_0") }).expect_err("no draft yet");
    planner.update(draft("no-such-model")).expect_err("no such model");
    planner.update(draft("llama-3.2-1b")).unwrap();
    assert_eq!(weights(&planner), Some(WeightsRequest::Format("Q4_K_M".into())));
    planner.update(Action::DraftWeights(Some(WeightsRequest::Format("Q8_0".into())))).unwrap();
    planner
        .update(Action::DraftWeights(Some(WeightsRequest::Format("Q9_Z".into()))))
        .expect_err("no such format");
    planner.update(Action::DraftCache { knob: Knob::V, codec: codec("q9_0") }).expect_err("no such codec");
    for knob in [Knob::K, Knob::V] {
        planner.update(Action::DraftCache { knob, codec: codec("q8_0") }).unwrap();
    }
    planner.update(set(Field::Projector, 878_000_000)).unwrap();
    let mut asked = alone.clone();
    asked["extras"] = json!({ "draft": "llama-3.2-1b", "draft_weights": { "format": "Q8_0" },
        "draft_cache": { "k": "q8_0", "v": "q8_0" }, "projector_bytes": 878_000_000 });
    assert_eq!(planner.state().request, Request::from_value(&asked).unwrap());
    assert_eq!(link::read(&link::write(&planner)).unwrap().state, *planner.state());
    let before = Request::from_value(&alone).unwrap();
    let changed = view::change::differences(&before, &planner.state().request, View::default());
    assert_eq!(changed, ["projector default → 837 MiB", "draft default → llama-3.2-1b Q8_0, K q8_0, V q8_0"]);
    // Taken away, nothing of it is left behind.
    planner.update(Action::Draft(None)).unwrap();
    planner.update(Action::Set { field: Field::Projector, to: None }).unwrap();
    assert_eq!(planner.state().request, before);
}

#[test]
fn plan_a_changes_places_with_the_plan() {
    let mut planner = planner();
    planner.update(Action::Pin).unwrap();
    planner.update(set(Field::Context, 4096)).unwrap();
    planner.update(Action::SwapPinned).unwrap();
    let state = planner.state();
    assert_eq!((state.request.context, state.pinned.as_ref().unwrap().context), (Some(8192), Some(4096)));
}

#[test]
fn plan_a_is_planned_with_its_own_model() {
    let mut planner = planner();
    let alone = planner.plan().unwrap();
    planner.update(Action::Pin).unwrap();
    planner.update(Action::Model(ModelRef::Id("gemma-3-27b".into()))).unwrap();
    let pinned = planner.state().pinned.clone().unwrap();
    assert_eq!(planner.plan_of(&pinned).unwrap(), alone);
    assert_eq!(planner.plan_of(planner.before().unwrap()).unwrap(), alone);
}

#[test]
fn every_number_is_set_read_and_set_back() {
    let mut request = planner().state().request.clone();
    let before = request.clone();
    for field in Field::iter() {
        let default = field.get(&request);
        field.set(&mut request, Some(7)).unwrap();
        assert_eq!(field.get(&request), Some(7), "{field}");
        field.set(&mut request, default).unwrap();
    }
    assert_eq!(request, before);
}

#[test]
fn a_link_is_short_and_reads_as_a_sentence() {
    let line = link::write(&planner());
    let (inputs, stamp) = line.split_once("&rules=").unwrap();
    assert_eq!(inputs, "v=1&model=qwen3-8b&context=8192&engine.name=llama.cpp");
    assert!(
        stamp.starts_with("llama.cpp%400c1e57098&data=20") && stamp.ends_with("&reserved=1207959552"),
        "{stamp}"
    );
}

#[test]
fn a_link_of_other_rules_says_what_changed() {
    let line = link::write(&planner()).replace("0c1e57098", "b1").replace("1207959552", "1207959553");
    let opened = link::read(&line).unwrap();
    assert_eq!(opened.changes.len(), 2, "{:?}", opened.changes);
    assert!(opened.changes[0].contains("llama.cpp@b1") && opened.changes[1].contains("1207959553"));
}

#[test]
fn a_broken_link_names_its_broken_part() {
    let good = link::write(&planner());
    let cases = [
        (String::new(), "state.v"),
        (good.replace("v=1", "v=2"), "state.v"),
        (good.replace("context=8192", "context=much"), "state.context"),
        (good.replace("context=", "contexts="), "state.contexts"),
        (format!("{good}&context=1"), "state.context"),
        (format!("{good}&engine=x"), "state.engine"),
        (format!("{good}&tab=games"), "state.tab"),
        (format!("{good}&cache.k=q9"), "state.cache.k"),
        (good.replace("llama.cpp&", "lama.cpp&"), "state.engine"),
        (format!("{good}&a.context=1"), "state.a.model"),
    ];
    for (line, field) in cases {
        let error = link::read(&line).expect_err(&line);
        assert!(error.field.starts_with(field), "{line}: {error:?}");
    }
}

#[test]
fn a_carried_model_travels_in_the_link() {
    let spec = json!({ "layers": [{ "count": 2, "kind": "full", "kv_heads": 1, "k_dim": 64, "v_dim": 64 }] });
    let state = State::of(Request::from_value(&json!({ "model": { "spec": spec }, "context": 10 })).unwrap());
    assert_eq!(link::read(&link::write(&Planner::new(state.clone()))).unwrap().state, state);
}

#[test]
fn an_opened_file_is_planned_with_its_own_weights_and_its_link_carries_their_bytes() {
    let model = plan::resolve_model(&ModelRef::Id("qwen3-8b".into())).unwrap();
    let own = crate::weights::of(&model, WeightFormat::parse("Q8_0").unwrap()).unwrap();
    let bytes = own.loaded().unwrap();
    let mut planner = planner();
    planner.update(Action::Weights(Some(WeightsRequest::Format("Q4_K_M".into())))).unwrap();
    let before = planner.state().clone();
    planner.open_model(model.into_owned().with_weights(own), "/models/mine.gguf").unwrap();
    let weighs = |planner: &Planner| planner.plan().unwrap().weights.map(|weights| weights.bytes);
    assert_eq!((weighs(&planner), planner.file()), (Some(bytes), Some("/models/mine.gguf")));
    let request = &planner.state().request;
    let table = view::table::table(planner.model().unwrap(), request, View::default());
    assert_eq!((table.rows[0].label.as_str(), table.rows[0].cells[0].current), ("this file", true));
    // Who opens the link has no file: its weights are as many bytes.
    let carried = Planner::new(link::read(&link::write(&planner)).unwrap().state);
    assert_eq!(weighs(&carried), Some(bytes));
    planner.update(Action::Undo).unwrap();
    assert_eq!((planner.state(), planner.file()), (&before, None));
    planner.update(Action::Redo).unwrap();
    assert_eq!(weighs(&planner), Some(bytes));
}

fn actions() -> impl Strategy<Value = Action> {
    let field = proptest::sample::select(Field::iter().collect::<Vec<_>>());
    let number = prop_oneof![Just(None), (0..1u64 << 40).prop_map(Some), Just(Some(u64::MAX))];
    let codec = proptest::sample::select(vec!["f16", "q8_0", "fp8_e4m3", "kivi2", "nonsense"]);
    let knob = proptest::sample::select(vec![Knob::K, Knob::V, Knob::Indexer, Knob::State, Knob::Conv]);
    let model = proptest::sample::select(vec![
        "qwen3-8b",
        "gemma-3-27b",
        "deepseek-v4-flash",
        "qwen3.6-27b",
        "no such model",
    ]);
    let (draft_codec, draft_knob) = (codec.clone(), knob.clone());
    let draft = proptest::sample::select(vec!["llama-3.2-1b", "gemma-3-1b", "no such draft"]);
    let option =
        proptest::sample::select(vec!["n_ctx", "n_ubatch", "block_size", "page_size", "bits", "no_such"]);
    prop_oneof![
        model.prop_map(|id| Action::Model(ModelRef::Id(id.into()))),
        proptest::sample::select(EngineName::iter().collect::<Vec<_>>()).prop_map(Action::Engine),
        (option, number.clone())
            .prop_map(|(name, n)| Action::EngineOption { name: name.into(), value: n.map(Into::into) }),
        (knob, proptest::option::of(codec))
            .prop_map(|(knob, codec)| Action::Cache { knob, codec: codec.map(Into::into) }),
        proptest::sample::select(vec!["Q4_K_M", "bf16", "awq", "Q9_Z"])
            .prop_map(|name| Action::Weights(Some(WeightsRequest::Format(name.into())))),
        proptest::option::of(draft).prop_map(|id| Action::Draft(id.map(|id| ModelRef::Id(id.into())))),
        proptest::option::of(proptest::sample::select(vec!["Q8_0", "bf16", "Q9_Z"]))
            .prop_map(|name| Action::DraftWeights(name.map(|name| WeightsRequest::Format(name.into())))),
        (draft_knob, proptest::option::of(draft_codec))
            .prop_map(|(knob, codec)| Action::DraftCache { knob, codec: codec.map(Into::into) }),
        field.clone().prop_map(Action::Largest),
        (field.clone(), number.clone()).prop_map(|(field, to)| Action::Set { field, to }),
        (field, number).prop_map(|(field, to)| Action::Drag { field, to }),
        proptest::sample::select(vec![
            Action::Settle,
            Action::Pin,
            Action::Unpin,
            Action::SwapPinned,
            Action::Undo,
            Action::Redo
        ]),
        proptest::sample::select(
            Tab::iter().map(Action::Tab).chain(Lens::iter().map(Action::Lens)).collect::<Vec<_>>()
        ),
        (0..99u64).prop_map(|layer| Action::Select(Figure::Layer(layer))),
        proptest::sample::select(vec![Units::GiB, Units::GB]).prop_map(Action::Units),
        any::<bool>().prop_map(Action::ExactBytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_actions_can_be_undone_to_the_state_they_began_with(actions in proptest::collection::vec(actions(), 0..60)) {
        let mut planner = planner();
        for _ in 0..9 {
            planner.update(Action::Undo).unwrap();
        }
        let first = planner.state().clone();
        for action in actions {
            // An action may be refused; the state then stays what it was.
            let before = planner.state().clone();
            if planner.update(action).is_err() {
                prop_assert_eq!(planner.state(), &before);
            }
            drop(planner.plan());
        }
        let last = planner.state().clone();
        let mut undone = 0;
        while planner.update(Action::Undo).unwrap().inputs {
            undone += 1;
        }
        prop_assert_eq!((&planner.state().request, &planner.state().pinned), (&first.request, &first.pinned));
        while undone > 0 && planner.update(Action::Redo).unwrap().inputs {
            undone -= 1;
        }
        prop_assert_eq!(planner.state(), &last);
    }

    #[test]
    fn any_state_comes_back_from_its_link(actions in proptest::collection::vec(actions(), 0..30)) {
        let mut planner = planner();
        for action in actions {
            drop(planner.update(action));
        }
        let opened = link::read(&link::write(&planner)).unwrap();
        prop_assert_eq!(&opened.state, planner.state());
        prop_assert_eq!(opened.changes, Vec::<String>::new());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(v=1&|a\\.|model=|engine\\.name=|context=|hardware\\.0\\.|[0-9]|%|&|=|\\.|\\PC){0,40}") {
        drop(link::read(&text));
    }
}
