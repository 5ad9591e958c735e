//! The weights of the model or of its draft: a format, or the bytes of a file that was dropped.

use super::choice::{Words, choice, plain};
use crate::store::Store;
use kvplan_core::engine::EngineName;
use kvplan_core::plan::{Request, WeightsRequest};
use kvplan_core::planner::Action;
use kvplan_core::planner::view::change;
use kvplan_core::planner::view::table::formats;
use leptos::prelude::*;

/// The model's.
pub(crate) fn weights(store: Store) -> AnyView {
    let words = Words { id: "in-weights", label: "Weights", none: "not counted" };
    of(store, words, |request| request.weights.as_ref(), Action::Weights)
}

/// The draft's.
pub(crate) fn draft(store: Store) -> AnyView {
    let words = Words { id: "in-draft-weights", label: "its weights", none: "not counted" };
    of(store, words, |request| request.extras.as_ref()?.draft_weights.as_ref(), Action::DraftWeights)
}

fn of(
    store: Store,
    words: Words,
    set: fn(&Request) -> Option<&WeightsRequest>,
    action: fn(Option<WeightsRequest>) -> Action,
) -> AnyView {
    let offered = move || {
        store.request.with(|request| {
            let engine = request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name);
            plain(formats(engine))
        })
    };
    let now = move || store.request.with(|request| change::weights(set(request), store.view.get()));
    let now_set = move || {
        store.request.with_untracked(|request| change::weights(set(request), store.view.get_untracked()))
    };
    let chosen = move |format: Option<String>| {
        // Bytes that are set are in the list, and are no format.
        if format.as_ref() != Some(&now_set()) {
            store.act(action(format.map(WeightsRequest::Format)));
        }
    };
    choice(words, offered, now, chosen, RwSignal::new(true))
}
