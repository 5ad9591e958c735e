//! Two lines of fixed height: does it fit, what binds, what next; and what the last action did.

use crate::store::Store;
use kvplan_core::planner::Action;
use kvplan_core::planner::view::fixes::Fix;
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
    view! {
        <section class="headline" data-word=class aria-labelledby="verdict">
            <p id="verdict" class="verdict" role="status">
                <strong>{move || format!("{} {}", word().mark(), word())}</strong>
                " "
                <span>{move || store.headline.with(|headline| headline.first.clone())}</span>
            </p>
            <p class="next">
                <span>{move || store.headline.with(|headline| headline.second.clone())}</span>
                {move || store.fixes.get().into_iter().map(|fix| one(store, fix)).collect_view()}
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

/// A way out: looked at while it is pointed at or focused, taken with a press.
fn one(store: Store, Fix { text, request }: Fix) -> AnyView {
    let request = StoredValue::new(*request);
    let look = move || store.preview.set(Some(request.get_value()));
    let away = move || store.preview.set(None);
    view! {
        <button
            type="button"
            class="fix"
            on:pointerenter=move |_| look()
            on:pointerleave=move |_| away()
            on:focus=move |_| look()
            on:blur=move |_| away()
            on:click=move |_| {
                away();
                store.act(Action::Adopt(Box::new(request.get_value())));
            }
        >
            {text}
        </button>
    }
    .into_any()
}
