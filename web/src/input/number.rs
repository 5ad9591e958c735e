//! A number in a field: typed freely, read as the planner reads it, kept as typed where it cannot be read.

use crate::store::{Store, said};
use kvplan_core::planner::view::change::number as shown;
use kvplan_core::planner::{Action, Field, Unit, View};
use leptos::prelude::*;

/// A labelled field; empty stands for the default, which is shown in its place.
pub(crate) fn number(store: Store, field: Field, label: &'static str, default: &'static str) -> AnyView {
    view! {
        <p class="field">
            <label for=id(field)>{label}</label>
            <span class="beside">
                {bare(store, field, default)}
                {has_largest(field).then(|| keeping(store, field, "="))}
            </span>
        </p>
    }
    .into_any()
}

/// The button that keeps a number at the largest that fits.
pub(crate) fn largest(store: Store, field: Field) -> AnyView {
    keeping(store, field, "= largest")
}

fn keeping(store: Store, field: Field, words: &'static str) -> AnyView {
    let kept = move || store.largest.get() == Some(field);
    view! {
        <button
            type="button"
            aria-pressed=move || if kept() { "true" } else { "false" }
            aria-label=format!("= largest {}", field.label())
            title="Keeps it at the most that fits, until you set it"
            on:click=move |_| store.act(Action::Largest(field))
        >
            {words}
        </button>
    }
    .into_any()
}

/// Whether something bounds the number, so that there is a most that fits.
const fn has_largest(field: Field) -> bool {
    match field {
        Field::Context
        | Field::Sequences
        | Field::GpuLayers
        | Field::ExpertLayersOnHost
        | Field::KeepFree
        | Field::EncoderTokens
        | Field::Mtp
        | Field::Projector
        | Field::Adapters => true,
        // Nobody chooses what other programs hold.
        Field::InUse
        | Field::TypicalContext
        | Field::P95Context
        | Field::SharedPrefix
        | Field::Sessions
        | Field::TensorParallel
        | Field::PipelineParallel
        | Field::DataParallel
        | Field::ExpertParallel
        | Field::DecodeContextParallel => false,
    }
}

/// The field's id.
pub(crate) fn id(field: Field) -> String {
    format!("in-{field}")
}

/// The field without its label.
pub(crate) fn bare(store: Store, field: Field, default: &'static str) -> AnyView {
    let error = RwSignal::new(None::<String>);
    let text = Memo::new(move |_| {
        store.request.with(|request| {
            let view = View { exact_bytes: false, ..store.view.get() };
            field.get(request).map(|n| shown(field, n, view)).unwrap_or_default()
        })
    });
    let typed = move |words: String| match read(field, &words) {
        Ok(to) => {
            error.set(None);
            store.act(Action::Set { field, to });
        }
        Err(problem) => error.set(Some(problem)),
    };
    let mode = match field.unit() {
        Unit::Count => "numeric",
        Unit::Tokens | Unit::Bytes => "text",
    };
    let problem = format!("{}-error", id(field));
    view! {
        <input
            id=id(field)
            type="text"
            inputmode=mode
            autocomplete="off"
            spellcheck="false"
            placeholder=default
            prop:value=move || text.get()
            aria-invalid=move || if error.with(Option::is_some) { "true" } else { "false" }
            aria-describedby=problem.clone()
            on:change:target=move |event| {
                typed(event.target().value());
                if error.with_untracked(Option::is_none) {
                    event.target().set_value(&text.get_untracked());
                }
            }
        />
        <span class="error" id=problem>{move || error.get()}</span>
    }
    .into_any()
}

fn read(field: Field, words: &str) -> Result<Option<u64>, String> {
    let words = words.replace(',', "");
    if words.trim().is_empty() {
        return Ok(None);
    }
    field.parse(&words).map(Some).map_err(|error| said(&error))
}
