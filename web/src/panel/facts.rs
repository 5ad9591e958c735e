//! The plan's own figures in one row, to the byte on demand.

use crate::store::Store;
use kvplan_core::planner::view::text::{bytes, grouped};
use kvplan_core::planner::{Action, View};
use kvplan_core::unit::Bytes;
use leptos::prelude::*;

struct Fact {
    id: &'static str,
    label: &'static str,
    tip: &'static str,
    value: Bytes,
}

/// Needed, reserved, padding, growth.
pub(crate) fn facts(store: Store) -> AnyView {
    let all = move || {
        store.shown.with(|shown| {
            let Some(shown) = shown else { return Vec::new() };
            let kv = &shown.plan.kv;
            let facts = [
                ("needed", "Bytes your tokens need if the engine wasted nothing.", Some(kv.payload_bytes)),
                (
                    "reserved",
                    "What the engine really takes for the same tokens; what a GPU monitor sees.",
                    Some(kv.allocated_bytes),
                ),
                (
                    "padding",
                    "Reserved minus needed: rounding, half-filled pages, spare slots.",
                    Some(kv.waste_bytes),
                ),
                ("pool left", "The unused part of the engine’s pool: room for more.", kv.pool_free_bytes),
            ];
            facts
                .into_iter()
                .filter_map(|(label, tip, value)| Some(Fact { id: label, label, tip, value: value? }))
                .collect::<Vec<_>>()
        })
    };
    let growth = move || {
        store.shown.with(|shown| {
            let exact = shown.as_ref()?.plan.kv.bytes_per_token.to_string();
            let (whole, part) =
                exact.split_once('.').map_or((exact.as_str(), ""), |(whole, part)| (whole, part));
            let point = if part.is_empty() { "" } else { "." };
            Some(format!("{}{point}{part} B", grouped(whole.parse().ok()?)))
        })
    };
    let exact = move || store.view.get().exact_bytes;
    view! {
        <section class="facts" aria-label="Cache">
            <dl class:stale=move || store.answer.with(Result::is_err)>
                {move || {
                    let view: View = store.view.get();
                    all()
                        .into_iter()
                        .map(|fact| {
                            view! {
                                <div title=fact.tip>
                                    <dt>{fact.label}</dt>
                                    <dd data-fact=fact.id data-bytes=fact.value.get() title=format!("{} B", grouped(fact.value.get()))>
                                        {bytes(fact.value, view)}
                                    </dd>
                                </div>
                            }
                        })
                        .collect_view()
                }}
                <div title="How much one more token of one conversation needs here.">
                    <dt>"per token"</dt>
                    <dd data-fact="per token">{growth}</dd>
                </div>
            </dl>
            <label class="check">
                <input
                    type="checkbox"
                    prop:checked=exact
                    on:change:target=move |event| store.act(Action::ExactBytes(event.target().checked()))
                />
                "exact bytes"
            </label>
        </section>
    }
    .into_any()
}
