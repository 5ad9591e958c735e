//! Two lines of fixed height: does it fit, what binds, what next; and what the last action did.

use crate::store::{Store, said};
use crate::{intake, save};
use kvplan_core::planner::Action;
use kvplan_core::planner::view::fixes::Fix;
use kvplan_core::planner::view::headline::Word;
use kvplan_core::planner::view::unknown::Way;
use leptos::prelude::*;
use strum::IntoEnumIterator as _;

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
                {move || {
                    let is_unknown = store.answer.with(Result::is_err) && store.planner.with(|p| p.model().is_err());
                    is_unknown.then(|| Way::iter().map(|way| for_unknown(store, way)).collect_view())
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

/// What can be done about a model that is not understood.
fn for_unknown(store: Store, way: Way) -> AnyView {
    let (what, name, then) = match way {
        Way::Describe => ("describe", "model.toml", "fill it in with an editor, then drop it here"),
        Way::Report => ("report", "report.txt", "nothing but this is in it; it goes nowhere by itself"),
    };
    let give = move || {
        let request = store.request.get_untracked();
        leptos::task::spawn_local(async move {
            let said = match intake::written(what, &request).await {
                Err(error) => said(&error),
                Ok(text) => match save::text(name, "text/plain", &text) {
                    Ok(()) => format!("{name} is saved: {then}."),
                    Err(_) => format!("{name}: the browser refuses to save it."),
                },
            };
            store.notice.set(Some(said));
        });
    };
    view! { <button type="button" class="way" on:click=move |_| give()>{way.label()}</button> }.into_any()
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
