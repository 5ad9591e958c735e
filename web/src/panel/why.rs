//! The arithmetic behind the figure that is lit.

use crate::store::Store;
use kvplan_core::planner::view::text::{bytes, grouped};
use kvplan_core::planner::view::why::Line;
use kvplan_core::unit::Bytes;
use leptos::prelude::*;

/// Terms that are shown at once.
const FIRST: usize = 3;

/// The panel.
pub(crate) fn why(store: Store) -> AnyView {
    let title = move || {
        store.why.with(|why| {
            why.as_ref().map(|why| match why.total {
                Some(total) => format!("{} = {}", why.title, bytes(total, store.view.get())),
                None => why.title.clone(),
            })
        })
    };
    let lines = move |from: usize, to: usize| {
        let lines = store.why.with(|why| {
            why.as_ref()
                .map(|why| why.lines.iter().take(to).skip(from).cloned().collect::<Vec<_>>())
                .unwrap_or_default()
        });
        lines.into_iter().map(|line| one(store, line)).collect_view()
    };
    let more =
        move || store.why.with(|why| why.as_ref().map_or(0, |why| why.lines.len().saturating_sub(FIRST)));
    let assumed = move || {
        store.shown.with(|shown| {
            let all = shown.as_ref().map(|shown| shown.plan.assumptions.clone()).unwrap_or_default();
            all.into_iter().map(|text| view! { <li>{text.into_owned()}</li> }).collect_view()
        })
    };
    let assumptions =
        move || store.shown.with(|shown| shown.as_ref().map_or(0, |shown| shown.plan.assumptions.len()));
    view! {
        <section class="why" aria-labelledby="why-title" class:stale=move || store.answer.with(Result::is_err)>
            <h2 id="why-title">
                "Why " {move || store.lit.get().map(|part| view! { <span class=format!("key {part}") aria-hidden="true"></span> })}
                " " <span>{title}</span>
            </h2>
            <ul class="terms">{move || lines(0, FIRST)}</ul>
            <Show when={move || more() > 0}>
                <details>
                    <summary>{move || format!("{} more terms", more())}</summary>
                    <ul class="terms">{move || lines(FIRST, usize::MAX)}</ul>
                </details>
            </Show>
            <Show when={move || assumptions() > 0}>
                <details>
                    <summary>{move || match assumptions() { 1 => "1 assumption".to_owned(), n => format!("{n} assumptions") }}</summary>
                    <ul>{assumed}</ul>
                </details>
            </Show>
        </section>
    }
    .into_any()
}

fn one(store: Store, line: Line) -> AnyView {
    let value = if line.unit == "bytes" {
        bytes(Bytes::new(line.value), store.view.get())
    } else {
        format!("{} {}", grouped(line.value), line.unit)
    };
    let basis: &'static str = line.basis.into();
    view! {
        <li>
            <span class="label">{line.label}</span>
            <span class="formula">{line.formula} " " <span class="quiet">{line.rule}</span></span>
            <span class="number">{value}</span>
            <span class="basis quiet">{basis}</span>
        </li>
    }
    .into_any()
}
