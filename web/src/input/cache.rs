//! Codecs for keys and values: those that this engine takes; the rest under a heading that says so.

use super::choice::{Words, choice, plain};
use crate::store::Store;
use kvplan_core::cache::Knob;
use kvplan_core::codec::Codec;
use kvplan_core::plan::Request;
use kvplan_core::planner::Action;
use leptos::prelude::*;

/// Both sides.
pub(crate) fn cache(store: Store) -> AnyView {
    // Context and machine decide nothing here, and a plan for each codec is not computed while they are dragged.
    let key = Memo::new(move |_| Request {
        context: None,
        hardware: Vec::new(),
        weights: None,
        ..store.request.get()
    });
    view! {
        <fieldset>
            <legend>"Cache"</legend>
            {side(store, key, Knob::K, "in-cache-k", "K")}
            {side(store, key, Knob::V, "in-cache-v", "V")}
        </fieldset>
    }
    .into_any()
}

fn side(store: Store, key: Memo<Request>, knob: Knob, id: &'static str, label: &'static str) -> AnyView {
    let taken = Memo::new(move |_| {
        let request = key.get();
        store.planner.with_untracked(|planner| {
            let takes = |codec: &Codec| {
                let mut other = request.clone();
                other.cache.set(knob, Some(codec.name().to_owned()));
                // A codec for one side may need its like on the other.
                let mut both = request.clone();
                both.cache.kv = Some(codec.name().to_owned());
                (both.cache.k, both.cache.v) = (None, None);
                planner.plan_of(&other).is_ok() || planner.plan_of(&both).is_ok()
            };
            Codec::ALL.iter().filter(|codec| takes(codec)).map(|codec| codec.name()).collect::<Vec<_>>()
        })
    });
    let set = move || {
        let name =
            store.request.with(|request| request.cache.side(knob).map(str::to_owned)).unwrap_or_default();
        Codec::parse(&name).map_or(name, |codec| codec.name().to_owned())
    };
    let chosen = move |codec: Option<String>| store.act(Action::Cache { knob, codec });
    choice(
        Words { id, label, none: "default" },
        move || plain(&taken.get()),
        set,
        chosen,
        RwSignal::new(true),
    )
}
