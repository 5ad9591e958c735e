//! A letter a layer. Arrows walk it; the layer's part of memory is lit everywhere.

use super::{is_lit, light};
use crate::store::Store;
use kvplan_core::planner::view::layers::Legend;
use kvplan_core::planner::view::text::bytes;
use kvplan_core::planner::{Action, Figure};
use leptos::ev;
use leptos::prelude::*;

/// Layers without a pattern stand in rounds of so many.
const ROUND: usize = 8;

/// The panel.
pub(crate) fn layers(store: Store) -> AnyView {
    let map = Memo::new(move |_| store.shown.with(|shown| shown.as_ref().map(|shown| shown.layers.clone())));
    let here = move || match store.view.get().figure {
        Figure::Layer(layer) => Some(layer),
        Figure::Cache | Figure::Part(_) => None,
    };
    let walk = move |event: ev::KeyboardEvent| {
        let count = map.with_untracked(|map| map.as_ref().map_or(0, |map| map.letters.len()));
        let Ok(last) = u64::try_from(count.saturating_sub(1)) else { return };
        let at = match store.view.get_untracked().figure {
            Figure::Layer(layer) => Some(layer),
            Figure::Cache | Figure::Part(_) => None,
        };
        let to = match event.key().as_str() {
            "ArrowRight" => at.map_or(0, |at| (at + 1).min(last)),
            "ArrowLeft" => at.map_or(last, |at| at.saturating_sub(1)),
            "Home" => 0,
            "End" => last,
            _ => return,
        };
        event.prevent_default();
        store.act(Action::Select(Figure::Layer(to)));
    };
    let said = move || {
        let layer = here()?;
        map.with(|map| {
            let map = map.as_ref()?;
            let letter = map.letters.get(usize::try_from(layer).ok()?)?;
            let kind = map.legend.iter().find(|kind| kind.letter == *letter)?;
            Some(format!("layer {layer}: {}", words(kind, store)))
        })
    };
    view! {
        <section class="layers" aria-labelledby="layers-title" class:stale=move || store.answer.with(Result::is_err)>
            <h2 id="layers-title">
                {move || format!("Layers {}", map.with(|map| map.as_ref().map_or(0, |map| map.letters.len())))}
            </h2>
            <div
                class="strip"
                role="listbox"
                aria-label="Layers"
                tabindex="0"
                aria-activedescendant=move || here().map(|layer| format!("layer-{layer}"))
                on:keydown=walk
            >
                {move || {
                    let map = map.get()?;
                    let cell = |letter: &char, layer: u64| {
                        let part = map.legend.iter().find(|kind| kind.letter == *letter).and_then(|kind| kind.part);
                        let class = part.map_or_else(|| "layer none".to_owned(), |part| format!("layer {part}"));
                        view! {
                            <span
                                id=format!("layer-{layer}")
                                role="option"
                                class=class
                                class:lit=move || part.is_some_and(|part| is_lit(store, part))
                                aria-selected=move || if here() == Some(layer) { "true" } else { "false" }
                                title=format!("layer {layer}")
                                on:click=move |_| light(store, Figure::Layer(layer))
                            >
                                {letter.to_string()}
                            </span>
                        }
                    };
                    // A line breaks between two rounds of the pattern.
                    let rounds = map.letters.chunks(map.period.unwrap_or(ROUND)).scan(0u64, |first, round| {
                        let cells: Vec<_> = round.iter().zip(*first..).map(|(letter, layer)| cell(letter, layer)).collect();
                        *first = first.saturating_add(u64::try_from(round.len()).unwrap_or(0));
                        Some(view! { <span class="round" role="presentation">{cells}</span> })
                    });
                    Some(rounds.collect_view())
                }}
            </div>
            <p class="quiet" aria-live="polite">
                {move || {
                    said()
                        .unwrap_or_else(|| {
                            map.with(|map| {
                                let kinds = map.iter().flat_map(|map| &map.legend);
                                kinds.map(|kind| format!("{} × {}", kind.layers, words(kind, store))).collect::<Vec<_>>().join("; ")
                            })
                        })
                }}
            </p>
        </section>
    }
    .into_any()
}

fn words(kind: &Legend, store: Store) -> String {
    let size =
        kind.bytes.map(|size| format!(", {} in all", bytes(size, store.view.get()))).unwrap_or_default();
    let grows = kind.part.map(|part| format!(", {}", part.grows())).unwrap_or_default();
    format!("{} {}{size}{grows}", kind.letter, kind.label)
}
