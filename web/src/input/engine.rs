//! The engine: three that most people run as buttons, every other in a list.

use crate::store::Store;
use kvplan_core::engine::EngineName;
use kvplan_core::planner::Action;
use leptos::prelude::*;
use strum::IntoEnumIterator as _;

const COMMON: [EngineName; 3] = [EngineName::LlamaCpp, EngineName::Vllm, EngineName::Sglang];

/// The choice.
pub(crate) fn engine(store: Store) -> AnyView {
    let name = Memo::new(move |_| {
        store
            .request
            .with(|request| request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name))
    });
    let others = || EngineName::iter().filter(|engine| !COMMON.contains(engine));
    let chosen = move |text: String| {
        if let Ok(engine) = text.parse() {
            store.act(Action::Engine(engine));
        }
    };
    let version = move || name.get().modelled_version().map(|version| format!("rules of {version}"));
    view! {
        <fieldset>
            <legend>"Engine"</legend>
            <p class="segments">
                {COMMON
                    .map(|engine| {
                        view! {
                            <button
                                type="button"
                                aria-pressed=move || if name.get() == engine { "true" } else { "false" }
                                on:click=move |_| store.act(Action::Engine(engine))
                            >
                                {label(engine)}
                            </button>
                        }
                    })
                    .collect_view()}
                <select aria-label="Other engines" on:change:target=move |event| chosen(event.target().value())>
                    <option value="" prop:selected=move || COMMON.contains(&name.get())>"more"</option>
                    {others()
                        .map(|engine| {
                            view! {
                                <option value=engine.as_str() prop:selected={move || name.get() == engine}>
                                    {label(engine)}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
            </p>
            <p class="quiet">{version}</p>
        </fieldset>
    }
    .into_any()
}

const fn label(engine: EngineName) -> &'static str {
    match engine {
        EngineName::Payload => "none: what is needed",
        EngineName::LlamaCpp => "llama.cpp",
        EngineName::Vllm => "vLLM",
        EngineName::Sglang => "SGLang",
        EngineName::TensorRtLlm => "TensorRT-LLM",
        EngineName::Transformers => "Transformers",
        EngineName::Mlx => "MLX-LM",
        EngineName::ExllamaV3 => "ExLlamaV3",
    }
}
