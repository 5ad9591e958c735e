//! What the panels show, held to the plan they show and to published figures.

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
fn every_verdict_has_its_word() {
    let word = |request: Value| headline(answer(&asked(&request)).1.as_ref(), View::default());
    let on = |extra: Value| {
        let mut request = serde_json::to_value(example()).unwrap();
        for (name, value) in extra.as_object().unwrap() {
            request[name] = value.clone();
        }
        word(request)
    };
    assert_eq!(on(json!({})).word, Word::Fits);
    assert_eq!(on(json!({ "weights": { "format": "BF16" } })).word, Word::Over);
    assert_eq!(on(json!({ "hardware": [] })).word, Word::Needs);
    assert_eq!(on(json!({ "context": null, "cache": { "kv": "q8_0" } })).word, Word::Fits);
    let refused =
        on(json!({ "engine": { "name": "llama.cpp", "flash_attn": "off" }, "cache": { "v": "q8_0" } }));
    assert_eq!(refused.word, Word::Refused);
    let spec = json!({ "model": { "hf": { "model_type": "nobody_knows" } }, "context": 1 });
    let error = resolve_model(&asked(&spec).model).unwrap_err();
    let unknown = headline(Err(&error), View::default());
    assert_eq!(unknown.word, Word::Unknown);
    assert!(unknown.first.contains("nobody_knows"), "{}", unknown.first);
}

#[test]
fn a_headline_says_what_is_to_spare_on_what_and_what_binds() {
    let plan = answer(&example()).1.unwrap();
    let said = headline(Ok(&plan), View::default());
    let spare = Bytes::new(plan.fit.spare_bytes.unwrap().unsigned_abs());
    assert!(said.first.contains(&text::bytes(spare, View::default())), "{}", said.first);
    assert!(said.first.contains("RTX 5090") && said.first.contains("131,072"), "{}", said.first);
    assert!(said.second.contains(&text::grouped(plan.fit.max_context.unwrap())), "{}", said.second);
    let rate = text::rate(plan.speed.unwrap().decode_tokens_per_s);
    assert!(said.second.contains(&format!("{rate} tokens/s at this depth")), "{}", said.second);
}

#[test]
fn a_fixed_pool_is_said_in_the_engines_own_words() {
    // What vLLM 0.33.0 prints for a pool of 16 GiB: `GPU KV cache size: N tokens`, N = blocks × block size.
    let request = asked(&json!({
        "model": "qwen3-8b", "context": 32_768,
        "engine": { "name": "vllm", "kv_cache_memory_bytes": 17_179_869_184_u64 }
    }));
    let plan = answer(&request).1.unwrap();
    let said = headline(Ok(&plan), View::default());
    // 16 GiB / (36 layers × 8 heads × 128 × 2 × 2 B × 16 tokens) = 7,281 blocks of 16 tokens.
    assert!(said.second.contains("116,496"), "{}", said.second);
}

fn cells(table: &Table) -> impl Iterator<Item = &table::Cell> {
    table.rows.iter().flat_map(|row| &row.cells)
}

#[test]
fn a_cell_of_the_largest_context_is_a_plan_that_fits_and_no_longer_one_does() {
    let request = example();
    let (model, _) = answer(&request);
    let table = table(&model, &request, of_lens(Lens::Weights));
    assert_eq!(table.rows.iter().map(|row| row.label.as_str()).next(), Some("BF16"));
    let mut tried = 0;
    for cell in cells(&table) {
        let Some(taken) = &cell.request else { continue };
        let plan = plan_model(&model, taken).unwrap();
        assert!(matches!(plan.fit.state, FitState::Fits | FitState::Barely), "{cell:?}");
        assert_eq!(text::grouped(plan.context.get()), cell.text);
        let longer = Request { context: taken.context.map(|n| n + 1), ..(**taken).clone() };
        let over = plan_model(&model, &longer).unwrap().fit.state == FitState::Over;
        assert!(over || cell.mark == Mark::Limit || cell.mark == Mark::Barely, "{cell:?}");
        tried += 1;
    }
    assert!(tried >= 20, "{tried} cells");
}

#[test]
fn the_table_shows_what_is_set_once_and_what_each_cache_type_was_measured_to_cost() {
    let request = example();
    let (model, _) = answer(&request);
    for lens in Lens::iter() {
        let table = table(&model, &request, of_lens(lens));
        let current = table.rows.iter().filter(|row| row.cells.iter().any(|cell| cell.current)).count();
        assert_eq!(current, 1, "{lens}");
    }
    let table = table(&model, &request, of_lens(Lens::Weights));
    // llama.cpp on SmolLM2-135M: mean KL divergence 0.0001967, 0.0069726, 0.0351696.
    assert_eq!(table.quality.unwrap(), ["exact", ".0002", ".0070", ".0352"]);
}

#[test]
fn methods_stand_by_the_bits_they_store_not_those_they_claim() {
    let request = example();
    let (model, _) = answer(&request);
    let table = table(&model, &request, of_lens(Lens::Methods));
    let bits: Vec<f64> = table.rows.iter().map(|row| row.cells[0].text.parse().unwrap()).collect();
    assert!(bits.is_sorted_by(|a, b| a >= b));
    let row = |name: &str| table.rows.iter().find(|row| row.label == name).unwrap();
    assert_eq!((row("q4_0").cells[0].text.as_str(), row("kivi2").cells[0].text.as_str()), ("4.5", "3"));
    assert!(row("kivi2").cells[3].reason.as_ref().unwrap().contains("llama.cpp"));
}

#[test]
fn an_engine_that_cannot_be_had_says_why() {
    let request = Request { context: Some(1_000), ..example() };
    let (model, _) = answer(&request);
    let table = table(&model, &request, of_lens(Lens::Engines));
    assert_eq!(table.rows.len(), EngineName::iter().count());
    for cell in cells(&table).filter(|cell| cell.request.is_none()) {
        assert!(cell.reason.as_ref().is_some_and(|reason| !reason.is_empty()), "{cell:?}");
    }
}

#[test]
fn a_plan_that_is_over_offers_three_ways_out_that_fit_each_with_its_price() {
    let request =
        Request { weights: Some(WeightsRequest::Format("Q6_K".into())), context: Some(262_144), ..example() };
    let (model, plan) = answer(&request);
    assert_eq!(plan.as_ref().unwrap().fit.state, FitState::Over);
    let ways = fixes::fixes(&model, &request, plan.as_ref());
    let texts: Vec<&str> = ways.iter().map(|fix| fix.text.as_str()).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert_eq!(texts[0], "q8_0 cache, KL +.0002");
    assert!(texts[1].ends_with(" tokens") && texts[2].starts_with("Q4_K_M weights"), "{texts:?}");
    for way in &ways {
        assert_ne!(plan_model(&model, &way.request).unwrap().fit.state, FitState::Over, "{}", way.text);
    }
}

#[test]
fn a_refusal_offers_to_take_back_what_was_refused() {
    let request = Request {
        cache: serde_json::from_value(json!({ "v": "q8_0" })).unwrap(),
        ..asked(&json!({
            "model": "qwen3-8b", "context": 4096, "engine": { "name": "llama.cpp", "flash_attn": "off" }
        }))
    };
    let (model, plan) = answer(&request);
    let ways = fixes::fixes(&model, &request, plan.as_ref());
    assert!(ways.len() >= 2, "{ways:?}");
    for way in ways {
        plan_model(&model, &way.request).unwrap();
    }
}

#[test]
fn a_fleet_is_as_many_machines_as_its_conversations_need_and_no_fewer_do() {
    let request = asked(&json!({
        "model": "qwen3-8b", "engine": { "name": "vllm" }, "context": 40_960, "sequences": 200,
        "weights": { "bytes": 16_400_000_000_u64 }, "hardware": [{ "device": "h200-sxm-141gb" }]
    }));
    let (model, plan) = answer(&request);
    let ways = fixes::fixes(&model, &request, plan.as_ref());
    let taken = &ways[0].request;
    let machines = taken.placement.dp;
    assert!(ways[0].text.starts_with(&machines.to_string()), "{}", ways[0].text);
    let mut fewer = taken.clone();
    (fewer.placement.dp, fewer.hardware[0].count) = (machines - 1, machines - 1);
    assert_eq!(plan_model(&model, &fewer).unwrap().fit.state, FitState::Over);
}

#[test]
fn the_last_change_says_what_and_what_it_came_to() {
    let before = Request { context: Some(65_536), ..example() };
    let now = example();
    let (model, plan) = answer(&now);
    let then = plan_model(&model, &before);
    let said = change::line((&before, then.as_ref().ok()), (&now, plan.as_ref().ok()), View::default());
    assert!(said.starts_with("context 65,536 → 131,072    KV +4.00 GiB    speed -"), "{said}");
    let mut other = now.clone();
    other.cache.set(crate::cache::Knob::K, Some("q8_0".into()));
    other.weights = None;
    let said = change::differences(&now, &other, View::default()).join(", ");
    assert_eq!(said, "cache K default → q8_0, weights Q4_K_M → default");
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

/// RAM whose bandwidth is known (two channels of DDR5-5600, 8 B each a transfer: 89.6 GB/s) prices what is put there.
#[test]
fn an_over_plan_can_move_to_ram_at_a_price_in_tokens_a_second() {
    let ram =
        json!({ "device": "cpu", "memory_bytes": 96_u64 << 30, "bandwidth_bytes_per_s": 89_600_000_000_u64 });
    let offered = |model: &str, weights: &str, ram: &Value| {
        let request = asked(&json!({ "model": model, "engine": { "name": "llama.cpp" }, "context": 131_072,
            "weights": { "format": weights }, "hardware": [{ "device": "rtx-5090" }, ram] }));
        let (model, plan) = answer(&request);
        fixes::fixes(&model, &request, plan.as_ref())
    };
    let cache = offered("qwen3.6-27b", "Q8_0", &ram);
    let moved = cache.iter().find(|fix| fix.text.starts_with("cache in RAM, ~")).unwrap();
    assert!(moved.text.ends_with(" tokens/s"), "{}", moved.text);
    let plan = answer(&moved.request).1.unwrap();
    assert_eq!((plan.fit.state, plan.devices[0].kv_bytes), (FitState::Fits, Bytes::ZERO));
    let experts = offered("gpt-oss-120b", "Q4_K_M", &ram);
    assert!(
        experts.iter().any(|fix| fix.text.starts_with("experts of ") && fix.text.contains("tokens/s")),
        "{experts:?}"
    );
    // Of RAM whose bandwidth is not known nothing is guessed.
    let unknown = json!({ "device": "cpu", "memory_bytes": 64_u64 << 30 });
    assert!(offered("qwen3.6-27b", "Q8_0", &unknown).iter().all(|fix| !fix.text.contains("tokens/s")));
}

#[test]
fn a_plan_that_fits_says_what_comes_next() {
    let next = |request: &Request| {
        let (model, plan) = answer(request);
        headline::next_step(&model, request, &plan.unwrap())
    };
    let with = |change: Value| {
        let mut asked = serde_json::to_value(example()).unwrap();
        for (name, value) in change.as_object().unwrap() {
            asked[name] = value.clone();
        }
        Request::from_value(&asked).unwrap()
    };
    let most = |request: &Request| answer(request).1.unwrap().fit;
    let q6 = with(json!({ "weights": { "format": "Q6_K" } }));
    // The model's own limit is 262,144 (Qwen/Qwen3.6-27B config.json).
    assert_eq!(next(&q6).unwrap(), "q8_0 cache would reach the model's own limit, 262,144.");
    let q8 = with(json!({ "weights": { "format": "Q8_0" }, "context": 65_536 }));
    let reach =
        most(&Request { cache: serde_json::from_value(json!({ "kv": "q8_0" })).unwrap(), ..q8.clone() });
    assert_eq!(
        next(&q8).unwrap(),
        format!("q8_0 cache would reach {}.", text::grouped(reach.max_context.unwrap()))
    );
    // Barely: what it says is safe fits whatever is estimated, and a step of 256 cells more does not.
    let barely = with(json!({ "context": 262_144 }));
    let said = next(&barely).unwrap();
    let safe: u64 = said.split(' ').next().unwrap().replace(',', "").parse().unwrap();
    let state = |context: u64| most(&Request { context: Some(context), ..barely.clone() }).state;
    assert_eq!((state(safe), state(safe + 256)), (FitState::Fits, FitState::Barely));
    // A context that ends at the model's limit wants nothing.
    assert_eq!(next(&with(json!({ "weights": { "format": "IQ4_XS" }, "context": 8192 }))), None);
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

#[test]
fn a_pool_engine_says_how_many_conversations_it_holds_and_what_it_will_print() {
    // vLLM's log of DeepSeek-V4-Flash: 83,062 blocks, 1,513,358 tokens, 11.55x of 131,072.
    let request = asked(&json!({
        "model": "deepseek-v4-flash", "context": 131_072,
        "engine": { "name": "vllm", "num_gpu_blocks_override": 83_062 },
        "workload": { "typical_context": 8192, "sessions": 100 }
    }));
    let (_, plan) = answer(&request);
    let plan = plan.unwrap();
    let typical = plan.serving.as_ref().unwrap().typical.as_ref().unwrap().conversations.unwrap();
    let said = headline(Ok(&plan), View::default());
    assert_eq!(
        said.second,
        format!(
            "Holds 11.5 conversations of 131,072 tokens, {typical} at your typical length. vLLM will print 1,513,358 \
             tokens, 11.55x."
        )
    );
    let panel = serving::serving(&plan, View::default()).unwrap();
    let rows: Vec<_> =
        panel.rows.iter().map(|row| (row.name, row.tokens.as_str(), row.held.as_str())).collect();
    assert_eq!(rows[0], ("full length", "131,072", "11"));
    assert_eq!((rows[1].0, rows[1].1), ("typical", "8,192"));
    assert_eq!((panel.rows[0].copies.as_str(), panel.shared), ("10", None));
    assert_eq!(panel.copies.unwrap(), "So many copies of it hold 100 sessions.");
}

#[test]
fn an_engine_that_shares_nothing_says_so_only_where_something_is_common() {
    let mut request = example();
    assert_eq!(serving::serving(&answer(&request).1.unwrap(), View::default()), None);
    request.workload.shared_prefix = 4096;
    let panel = serving::serving(&answer(&request).1.unwrap(), View::default()).unwrap();
    assert!(panel.shared.unwrap().starts_with("llama.cpp shares nothing: every slot has cells of its own"));
    assert_eq!(panel.prints, None);
}

#[test]
fn a_fleet_is_said_first_in_nodes_and_what_longer_sessions_would_take() {
    let request = asked(
        &json!({ "model": "deepseek-v4-flash", "context": 1_048_576, "engine": { "name": "vllm" },
        "weights": { "bytes": 160_000_000_000_u64 }, "hardware": [{ "device": "h200-sxm-141gb", "count": 8 }],
        "placement": { "tp": 8, "ep": 8 },
        "workload": { "typical_context": 180_000, "p95_context": 700_000, "shared_prefix": 40_000, "sessions": 2000 } }),
    );
    let (_, plan) = answer(&request);
    let plan = plan.unwrap();
    let nodes = |n: Option<u64>| n.unwrap();
    let serving = plan.serving.as_ref().unwrap();
    let (full, typical) = (nodes(serving.full.replicas), nodes(serving.typical.as_ref().unwrap().replicas));
    let p95 = nodes(serving.p95.as_ref().unwrap().replicas);
    assert!(typical < p95 && p95 < full);
    let said = headline(Ok(&plan), View::default());
    assert_eq!(
        said.first.split(" ±").next().unwrap(),
        format!(
            "2,000 sessions take {typical} nodes of 8 devices at typical length, {p95} at \"19 of 20 below\", {full} at full \
             length."
        )
    );
    assert!(said.second.starts_with("Holds "), "{}", said.second);
}
