//! What the panels show, held to the plan they show and to published figures.

mod says;
mod tables;

use super::*;
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::explain::Basis;
use crate::placement::{BoundBy, State as FitState};
use crate::plan::{Plan, Request, WeightsRequest, plan_model, resolve_model};
use crate::planner::state::{Figure, Lens, Part, View};
use crate::planner::view::headline::{Word, headline};
use crate::planner::view::table::{Mark, Table, table};
use crate::spec::ModelSpec;
use crate::unit::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

fn asked(value: &Value) -> Request {
    Request::from_value(value).unwrap()
}

/// The example of both planners: a popular hybrid on a popular card.
fn example() -> Request {
    asked(&json!({
        "model": "qwen3.6-27b", "engine": { "name": "llama.cpp" }, "context": 131_072,
        "weights": { "format": "Q4_K_M" }, "hardware": [{ "device": "rtx-5090" }]
    }))
}

fn answer(request: &Request) -> (ModelSpec, Result<Plan, PlanError>) {
    let model = resolve_model(&request.model).unwrap().into_owned();
    let plan = plan_model(&model, request);
    (model, plan)
}

fn of_lens(lens: Lens) -> View {
    View { lens, ..View::default() }
}

#[test]
fn a_hybrids_bar_tells_the_cache_that_grows_from_the_state_that_does_not() {
    let (model, plan) = answer(&example());
    let bars = memory::bars(&model, &plan.unwrap());
    let card = bars.iter().find(|bar| bar.name == "rtx-5090").unwrap();
    let of = |part: Part| card.segments.iter().find(|s| s.part == part).unwrap().bytes.get();
    // 16 layers × 131,072 cells × 4 heads × 256 × 2 B × (K and V), and 48 layers × 3,268,608 B a slot.
    assert_eq!((of(Part::Full), of(Part::State)), (8 << 30, 48 * 3_268_608));
    assert_eq!(card.capacity, Some(Bytes::new(32_607 << 20)));
}

#[test]
fn windows_are_a_part_of_their_own_and_stop_growing() {
    let request =
        asked(&json!({ "model": "gemma-3-27b", "engine": { "name": "payload" }, "context": 32_768 }));
    let (model, plan) = answer(&request);
    let bars = memory::bars(&model, &plan.unwrap());
    let of = |part: Part| bars[0].segments.iter().find(|s| s.part == part).unwrap().bytes.get();
    // 10 full and 52 sliding layers of 16 heads × 128, 1,024 tokens a window (google/gemma-3-27b config.json).
    assert_eq!(of(Part::Full), 10 * 32_768 * 16 * 128 * 2 * 2);
    assert_eq!(of(Part::Window), 52 * 1_024 * 16 * 128 * 2 * 2);
    assert_eq!((Part::Window.grows(), Part::Full.grows()), (words::Grows::Stops, words::Grows::EveryToken));
}

/// MLA's latent has one head, which every tensor-parallel rank keeps; 8 heads on 8 ranks are kept once each; decode-context
/// parallel ranks keep tokens of their own.
#[test]
fn ranks_that_hold_the_same_are_copies_of_the_first() {
    let copies = |model: &str, placement: Value| {
        let asked = asked(
            &json!({ "model": model, "engine": { "name": "vllm" }, "context": 65_536, "placement": placement,
            "hardware": [{ "device": "h200-sxm-141gb", "count": 8 }] }),
        );
        let (model, plan) = answer(&asked);
        let plan = plan.unwrap();
        let mut bars = memory::bars(&model, &plan);
        super::copies::mark(&mut bars, &model, &asked, &plan);
        let of = |bar: &memory::Bar| {
            let held = bar.segments.iter().filter(|s| s.part != Part::Compute);
            held.map(|s| (s.copies.get(), s.bytes.get())).collect::<Vec<_>>()
        };
        (of(&bars[0]), of(&bars[7]))
    };
    let all = |cells: &[(u64, u64)]| cells.iter().all(|(copied, bytes)| copied == bytes);
    let none = |cells: &[(u64, u64)]| cells.iter().all(|(copied, _)| *copied == 0);
    let (first, last) = copies("deepseek-v3.1", json!({ "tp": 8 }));
    assert!(none(&first) && all(&last) && !last.is_empty(), "{first:?} {last:?}");
    let (first, last) = copies("llama-3.1-70b", json!({ "tp": 8 }));
    assert!(none(&first) && none(&last), "{first:?} {last:?}");
    let (first, last) = copies("deepseek-v3.1", json!({ "tp": 8, "dcp": 8 }));
    assert!(none(&first) && none(&last), "{first:?} {last:?}");
}

#[test]
fn an_engine_that_fills_its_device_leaves_room_for_more_and_nothing_free() {
    let (model, plan) =
        answer(&asked(&json!({ "model": "qwen3-8b", "engine": { "name": "vllm" }, "context": 32_768,
        "weights": { "format": "bf16" }, "hardware": [{ "device": "rtx-5090" }] })));
    let bar = memory::bars(&model, &plan.unwrap()).remove(0);
    assert_eq!(bar.free, Some(0));
    // 31.84 GiB, of which vLLM leaves 8 % alone, less 15.3 of weights, 4.5 of 32,768 tokens, and 2.1 for a step,
    // graphs and what torch does not see.
    let room = bar.pool_free.unwrap().get() >> 20;
    assert!((7_000..8_500).contains(&room), "{room} MiB");
}

#[test]
fn a_layer_map_has_the_published_pattern() {
    let letters = |id: &str| {
        let model = resolve_model(&crate::plan::ModelRef::Id(id.into())).unwrap();
        let map = layers::map(&model, None);
        (map.letters.iter().collect::<String>(), map.period)
    };
    assert_eq!(letters("qwen3.6-27b"), ("sssF".repeat(16), Some(4)));
    assert_eq!(letters("gpt-oss-20b"), ("wF".repeat(12), Some(2)));
    let (gemma, period) = letters("gemma-3-27b");
    assert!(
        gemma.starts_with("wwwwwFwwwwwF") && gemma.len() == 62 && period == Some(6),
        "{gemma} {period:?}"
    );
    assert_eq!(letters("qwen3-8b"), ("F".repeat(36), None));
}

#[test]
fn a_legend_counts_the_bytes_of_a_layer() {
    let (model, plan) = answer(&example());
    let map = layers::map(&model, plan.as_ref().ok());
    let of = |letter: char| map.legend.iter().find(|l| l.letter == letter).unwrap();
    assert_eq!((of('F').layers, of('F').each()), (16, Some(Bytes::new(512 << 20))));
    assert_eq!((of('s').layers, of('s').each()), (48, Some(Bytes::new(3_268_608))));
}

#[test]
fn the_curve_meets_the_capacity_where_the_plan_says_memory_runs_out() {
    let weights = Some(WeightsRequest::Format("Q6_K".into()));
    let request = Request { context: Some(65_536), weights, ..example() };
    let (model, plan) = answer(&request);
    let plan = plan.unwrap();
    assert_eq!(plan.fit.bound_by, Some(BoundBy::Memory));
    let most = plan.fit.max_context.unwrap();
    let drawn = curve::curve(&model, &request, 65_536, 200).unwrap();
    let capacity = drawn.capacity.unwrap();
    assert_eq!((drawn.longest, drawn.limit), (262_144, Some(262_144)));
    assert!(drawn.samples.is_sorted_by_key(|s| (s.tokens, s.bytes)));
    for sample in &drawn.samples {
        assert_eq!(sample.bytes <= capacity, sample.tokens <= most, "{sample:?} of {capacity}, most {most}");
    }
}

#[test]
fn the_terms_behind_a_part_add_up_to_it() {
    let request = Request { explain: true, ..example() };
    let (model, plan) = answer(&request);
    let plan = plan.unwrap();
    let state = why::why(&model, &plan, Figure::Part(Part::State));
    assert_eq!(state.total, Some(Bytes::new(156_893_184)));
    assert!(state.lines.iter().all(|line| line.basis == Basis::Exact));
    let layer = why::why(&model, &plan, Figure::Layer(3));
    assert_eq!((layer.title.as_str(), layer.total), ("cache", Some(Bytes::new(8 << 30))));
    let all = why::why(&model, &plan, Figure::Cache);
    assert_eq!(all.total, Some(plan.kv.allocated_bytes));
    let sum: u64 = all.lines.iter().filter(|line| line.unit == "bytes").take(4).map(|line| line.value).sum();
    assert_eq!(sum, plan.kv.allocated_bytes.get());
}

/// The plan's own lines of what is beside the model, whatever else is explained after the cache.
#[test]
fn what_is_beside_the_model_stands_with_the_weights_and_never_with_the_cache() {
    let beside = asked(
        &json!({ "model": "llama-3.1-8b", "engine": { "name": "llama.cpp" }, "context": 32_768, "explain": true,
        "weights": { "format": "Q4_K_M" }, "hardware": [{ "device": "rtx-4090" }], "workload": { "typical_context": 4096 },
        "extras": { "draft": "llama-3.2-1b", "draft_weights": { "format": "Q8_0" }, "projector_bytes": 878_000_000 } }),
    );
    let (model, plan) = answer(&beside);
    let plan = plan.unwrap();
    let cache = why::why(&model, &plan, Figure::Part(Part::Full));
    // 32 layers × 8 heads × 128 × 2 B (meta-llama/Llama-3.1-8B config.json), keys and values.
    let side = 32 * 32_768 * 8 * 128 * 2;
    let values = |why: &why::Why| why.lines.iter().map(|line| line.value).collect::<Vec<_>>();
    assert_eq!(values(&cache), [side, side]);
    let weights = why::why(&model, &plan, Figure::Part(Part::Weights));
    assert_eq!(values(&weights), plan.extras.iter().map(|extra| extra.bytes.get()).collect::<Vec<_>>());
    assert!(weights.lines.iter().any(|line| line.label == "projector" && line.value == 878_000_000));
    let all = why::why(&model, &plan, Figure::Cache);
    assert!(all.lines.iter().all(|line| line.label != "projector") && all.lines.len() > 2);
    let bars = memory::bars(&model, &plan);
    let card = &bars[0].segments[0];
    assert_eq!((card.part, card.beside), (Part::Weights, plan.devices[0].extras_bytes));
    assert!(card.beside > Bytes::new(878_000_000) && card.beside < card.bytes);
}

fn requests() -> impl Strategy<Value = Request> {
    let model = proptest::sample::select(vec![
        "qwen3-8b",
        "gemma-3-27b",
        "deepseek-v4-flash",
        "qwen3.6-27b",
        "gpt-oss-20b",
        "whisper-tiny",
    ]);
    let engine = proptest::sample::select(EngineName::iter().collect::<Vec<_>>());
    let device = proptest::sample::select(vec!["rtx-5090", "h200-sxm-141gb", "m4-max-64gb", "rtx-4090"]);
    let number = 0..3_000_000_000u64;
    (model, engine, device, 1..5u64, 1..200_000u64, 1..9u64, number.clone(), number).prop_map(
        |(model, engine, device, count, context, sequences, in_use, keep_free)| {
            asked(&json!({
                "model": model, "engine": { "name": engine.as_str() }, "context": context, "sequences": sequences,
                "hardware": [{ "device": device, "count": count }], "weights": { "bytes": 9_000_000_000_u64 },
                "reserve": { "in_use_bytes": in_use, "keep_free_bytes": keep_free }
            }))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_bar_adds_up_to_the_memory_of_its_device(request in requests()) {
        let (model, plan) = answer(&request);
        let Ok(plan) = plan else { return Ok(()) };
        for bar in memory::bars(&model, &plan) {
            let (Some(capacity), Some(free)) = (bar.capacity, bar.free) else { continue };
            let parts = bar.used().get() + bar.pool_free.unwrap_or_default().get() + bar.withheld.get();
            prop_assert_eq!(i128::from(parts) + i128::from(free), i128::from(capacity.get()), "{:?}", bar);
        }
    }

    #[test]
    fn the_parts_of_the_cache_are_the_cache(request in requests()) {
        let bare = Request { hardware: Vec::new(), ..request };
        let (model, plan) = answer(&bare);
        let Ok(plan) = plan else { return Ok(()) };
        let bars = memory::bars(&model, &plan);
        let free = plan.kv.pool_free_bytes.unwrap_or_default().get();
        prop_assert_eq!(bars[0].used().get() + free, plan.kv.allocated_bytes.get());
    }

}

proptest! {
    // Every case asks some hundred plans.
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_request_makes_a_panel_panic(request in requests(), layer in 0..99u64) {
        let (model, plan) = answer(&request);
        prop_assert!(!headline(plan.as_ref(), View::default()).first.is_empty());
        prop_assert_eq!(layers::map(&model, plan.as_ref().ok()).letters.len(), model.layer_count());
        drop(curve::curve(&model, &request, request.context.unwrap_or(1), 40));
        for lens in Lens::iter() {
            prop_assert!(!table(&model, &request, of_lens(lens)).rows.is_empty());
        }
        if let Ok(plan) = plan_model(&model, &Request { explain: true, ..request }) {
            prop_assert!(!why::why(&model, &plan, Figure::Layer(layer)).title.is_empty());
        }
    }
}
