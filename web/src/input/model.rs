//! The model: searched by name among those catalogued, or given as a file.

use crate::receive::Inbox;
use crate::store::Store;
use kvplan_core::plan::ModelRef;
use kvplan_core::planner::Action;
use kvplan_core::spec::catalog;
use leptos::ev;
use leptos::prelude::*;

/// Rows of the list.
const ROWS: usize = 12;
const FIELD: &str = "in-model";
const LIST: &str = "models";

/// The search and its list.
pub(crate) fn model(store: Store, inbox: Inbox) -> AnyView {
    let typed = RwSignal::new(None::<String>);
    let at = RwSignal::new(0usize);
    let found = Memo::new(move |_| {
        typed.with(|text| text.as_ref().map(|text| catalog::matching(text, ROWS)).unwrap_or_default())
    });
    let name = Memo::new(move |_| {
        store.request.with(|_| ());
        store.planner.with(|planner| {
            planner.model().map_or_else(
                |_| match &planner.state().request.model {
                    ModelRef::Id(id) => id.clone(),
                    ModelRef::Hf(_) | ModelRef::Gguf(_) | ModelRef::Spec(_) => "not understood".to_owned(),
                },
                |model| if model.id().is_empty() { model.name().to_owned() } else { model.id().to_owned() },
            )
        })
    });
    let layers = move || {
        // What is not understood has no layers, and those of the last model are not its own.
        if store.answer.with(Result::is_err) && store.planner.with(|planner| planner.model().is_err()) {
            return None;
        }
        store.shown.with(|shown| {
            let legend = &shown.as_ref()?.layers.legend;
            Some(
                legend
                    .iter()
                    .map(|kind| format!("{} {}", kind.layers, kind.label))
                    .collect::<Vec<_>>()
                    .join(" + "),
            )
        })
    };
    let take = move |id: &str| {
        typed.set(None);
        at.set(0);
        store.act(Action::Model(ModelRef::Id(id.to_owned())));
    };
    let key = move |event: ev::KeyboardEvent| {
        let rows = found.with_untracked(Vec::len);
        match event.key().as_str() {
            "ArrowDown" if rows > 0 => {
                event.prevent_default();
                at.update(|at| *at = (*at + 1) % rows);
            }
            "ArrowUp" if rows > 0 => {
                event.prevent_default();
                at.update(|at| *at = (*at + rows - 1) % rows);
            }
            "Enter" => {
                event.prevent_default();
                if let Some(id) = found.with_untracked(|found| found.get(at.get_untracked()).copied()) {
                    take(id);
                } else if let Some(text) = typed.get_untracked() {
                    take(&text);
                }
            }
            "Escape" => typed.set(None),
            _ => {}
        }
    };
    let open = move || found.with(|found| !found.is_empty());
    let option = |row: usize| format!("{LIST}-{row}");
    view! {
        <fieldset>
            <legend>"Model"</legend>
            <div class="search">
                <label for=FIELD class="hidden">"Model"</label>
                <input
                    id=FIELD
                    type="text"
                    role="combobox"
                    autocomplete="off"
                    spellcheck="false"
                    aria-autocomplete="list"
                    aria-controls=LIST
                    aria-expanded=move || if open() { "true" } else { "false" }
                    aria-activedescendant=move || open().then(|| option(at.get()))
                    prop:value=move || typed.get().unwrap_or_else(|| name.get())
                    on:focus:target=move |event| event.target().select()
                    on:input:target=move |event| {
                        at.set(0);
                        typed.set(Some(event.target().value()));
                    }
                    on:keydown=key
                    on:blur=move |_| typed.set(None)
                />
                <ul id=LIST role="listbox" aria-label="Models" hidden=move || !open()>
                    {move || {
                        found
                            .get()
                            .into_iter()
                            .enumerate()
                            .map(|(row, id)| {
                                view! {
                                    <li
                                        id=option(row)
                                        role="option"
                                        aria-selected=move || if at.get() == row { "true" } else { "false" }
                                        // Before the field loses its focus.
                                        on:pointerdown=move |event| {
                                            event.prevent_default();
                                            take(id);
                                        }
                                    >
                                        {id}
                                    </li>
                                }
                            })
                            .collect_view()
                    }}
                </ul>
            </div>
            <p class="quiet">{layers}</p>
            <p class="field">
                <label class="file" for="in-file">"open or drop a config, .gguf or log"</label>
                <input
                    id="in-file"
                    type="file"
                    class="hidden"
                    on:change:target=move |event| {
                        if let Some(file) = event.target().files().and_then(|files| files.get(0)) {
                            inbox.file(file);
                        }
                        event.target().set_value("");
                    }
                />
            </p>
        </fieldset>
    }
    .into_any()
}
