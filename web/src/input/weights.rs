//! The weights: a format, or the bytes of a file that was dropped.

use crate::store::Store;
use kvplan_core::engine::EngineName;
use kvplan_core::plan::WeightsRequest;
use kvplan_core::planner::Action;
use kvplan_core::planner::view::change;
use kvplan_core::planner::view::table::formats;
use leptos::prelude::*;

const ID: &str = "in-weights";

/// The choice.
pub(crate) fn weights(store: Store) -> AnyView {
    let offered = Memo::new(move |_| {
        store.request.with(|request| {
            formats(request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name))
        })
    });
    let now = Memo::new(move |_| {
        store.request.with(|request| change::weights(request.weights.as_ref(), store.view.get()))
    });
    let chosen = move |text: String| {
        let is_set = text == now.get_untracked();
        if !is_set {
            store.act(Action::Weights((!text.is_empty()).then_some(WeightsRequest::Format(text))));
        }
    };
    let options = move || {
        let now = now.get();
        let mut names: Vec<String> = offered.get().iter().map(|name| (*name).to_owned()).collect();
        if !now.is_empty() && !names.iter().any(|name| name.eq_ignore_ascii_case(&now)) {
            names.insert(0, now.clone());
        }
        names
            .into_iter()
            .map(|name| {
                let selected = name.eq_ignore_ascii_case(&now);
                let value = name.clone();
                view! { <option value=value prop:selected=selected>{name}</option> }
            })
            .collect_view()
    };
    view! {
        <p class="field">
            <label for=ID>"Weights"</label>
            <select id=ID on:change:target=move |event| chosen(event.target().value())>
                <option value="" prop:selected=move || now.with(String::is_empty)>"not counted"</option>
                {options}
            </select>
        </p>
    }
    .into_any()
}
