//! Codecs for keys and values: those that this engine takes; the rest under a heading that says so.

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
        store.request.with(|request| match knob {
            Knob::K => request.cache.k.clone().or_else(|| request.cache.kv.clone()),
            Knob::V => request.cache.v.clone().or_else(|| request.cache.kv.clone()),
            Knob::Indexer | Knob::State | Knob::Conv => None,
        })
    };
    let chosen = move |name: String| {
        let codec = (!name.is_empty()).then_some(name);
        store.act(Action::Cache { knob, codec });
    };
    let options = move || {
        let now = set();
        let mut names = taken.get();
        if let Some(known) = now.as_deref().and_then(Codec::parse).map(|codec| codec.name())
            && !names.contains(&known)
        {
            names.push(known);
        }
        let current = now.as_deref().and_then(Codec::parse).map_or("", |codec| codec.name());
        names
            .into_iter()
            .map(|name| view! { <option value=name prop:selected={name == current}>{name}</option> })
            .collect_view()
    };
    view! {
        <p class="field">
            <label for=id>{label}</label>
            <select id=id on:change:target=move |event| chosen(event.target().value())>
                <option value="" prop:selected=move || set().is_none()>"default"</option>
                {options}
            </select>
        </p>
    }
    .into_any()
}
