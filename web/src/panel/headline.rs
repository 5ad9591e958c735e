//! Two lines of fixed height: does it fit, what binds, what next; and what the last action did.

use crate::store::Store;
use kvplan_core::planner::Action;
use kvplan_core::planner::view::headline::Word;
use leptos::prelude::*;

/// The headline.
pub(crate) fn headline(store: Store) -> AnyView {
    let word = move || store.headline.with(|headline| headline.word);
    let class = move || match word() {
        Word::Fits => "fits",
        Word::Barely => "barely",
        Word::Over => "over",
        Word::Needs => "needs",
        Word::Unknown => "unknown",
        Word::Refused => "refused",
    };
    let edge = move || {
        let over = word() == Word::Over;
        store
            .answer
            .with(|a| a.as_ref().ok().and_then(|plan| plan.fit.max_context).filter(|n| over && *n > 0))
    };
    view! {
        <section class="headline" data-word=class aria-labelledby="verdict">
            <p id="verdict" class="verdict" role="status">
                <strong>{move || format!("{} {}", word().mark(), word())}</strong>
                " "
                <span>{move || store.headline.with(|headline| headline.first.clone())}</span>
            </p>
            <p class="next">
                <span>{move || store.headline.with(|headline| headline.second.clone())}</span>
                {move || {
                    edge().map(|tokens| {
                        view! {
                            <button
                                type="button"
                                on:click=move |_| {
                                    store.act(Action::Set { field: kvplan_core::planner::Field::Context, to: Some(tokens) });
                                }
                            >
                                "take it"
                            </button>
                        }
                    })
                }}
            </p>
            <p class="quiet last" aria-live="polite">
                {move || {
                    store
                        .notice
                        .get()
                        .unwrap_or_else(|| {
                            let change = store.change.get();
                            if change.is_empty() { String::new() } else { format!("last change: {change}") }
                        })
                }}
            </p>
        </section>
    }
    .into_any()
}
