//! What lives beside the model: a draft model with weights and cache of its own, a projector, adapters.

use super::choice::{Words, choice, plain};
use super::{number, weights};
use crate::store::Store;
use kvplan_core::cache::Knob;
use kvplan_core::engine::EngineName;
use kvplan_core::plan::{ModelRef, Request};
use kvplan_core::planner::view::drafts::drafts;
use kvplan_core::planner::view::table::cache_types;
use kvplan_core::planner::view::text;
use kvplan_core::planner::{Action, Field};
use leptos::prelude::*;

/// The choices; those of a draft where there is one.
pub(crate) fn beside(store: Store) -> AnyView {
    let is_drafted = Memo::new(move |_| {
        store.request.with(|request| request.extras.as_ref().is_some_and(|it| it.draft.is_some()))
    });
    view! {
        <details>
            <summary>"Draft model, projector, adapters"</summary>
            {draft(store)}
            {move || {
                is_drafted
                    .get()
                    .then(|| {
                        [
                            weights::draft(store),
                            codec(store, Knob::K, "in-draft-k", "its cache K"),
                            codec(store, Knob::V, "in-draft-v", "its cache V"),
                        ]
                            .collect_view()
                    })
            }}
            {number::number(store, Field::Projector, "image projector", "0 B")}
            {number::number(store, Field::Adapters, "adapters (LoRA)", "0 B")}
        </details>
    }
    .into_any()
}

fn draft(store: Store) -> AnyView {
    // Telling which models are smaller takes counting all: not before someone looks at the list.
    let looked = RwSignal::new(false);
    let model = Memo::new(move |_| store.request.with(|request| request.model.clone()));
    let offered = Memo::new(move |_| {
        // Read, not only tracked: a memo that nobody has read does not know what it depends on.
        model.with(|_| ());
        if !looked.get() {
            return Vec::new();
        }
        let view = store.view.get();
        let found = store.planner.with_untracked(|planner| drafts(planner.model().ok()));
        let shown = found.into_iter().map(|draft| {
            let other = if draft.vocabularies.is_some() { ", other vocabulary" } else { "" };
            let id = draft.model.id().to_owned();
            let text = format!("{id}  ({} in bf16{other})", text::bytes(draft.bytes, view));
            (id, text)
        });
        shown.collect::<Vec<_>>()
    });
    let set = move || {
        store.request.with(|request| match request.extras.as_ref().and_then(|extras| extras.draft.as_ref()) {
            None => String::new(),
            Some(ModelRef::Id(id)) => id.clone(),
            Some(ModelRef::Hf(_) | ModelRef::Gguf(_) | ModelRef::Spec(_)) => "from a file".to_owned(),
        })
    };
    let chosen = move |id: Option<String>| store.act(Action::Draft(id.map(ModelRef::Id)));
    let words = Words { id: "in-draft", label: "draft model", none: "none" };
    choice(words, move || offered.get(), set, chosen, looked)
}

fn codec(store: Store, knob: Knob, id: &'static str, label: &'static str) -> AnyView {
    let offered = move || {
        store.request.with(|request| {
            let engine = request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name);
            plain(cache_types(engine))
        })
    };
    let side = move |request: &Request| {
        let cache = &request.extras.as_ref()?.draft_cache;
        cache.side(knob).map(str::to_owned)
    };
    let set = move || store.request.with(side).unwrap_or_default();
    let chosen = move |codec: Option<String>| store.act(Action::DraftCache { knob, codec });
    choice(Words { id, label, none: "default" }, offered, set, chosen, RwSignal::new(true))
}
