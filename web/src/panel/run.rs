//! The command that realises the plan, for every program it can be written for.

use crate::save;
use crate::store::{Store, said};
use kvplan_core::engine::EngineName;
use kvplan_core::launch::{Target, export};
use leptos::prelude::*;
use strum::IntoEnumIterator as _;

/// The panel.
pub(crate) fn run(store: Store) -> AnyView {
    let chosen = RwSignal::new(None::<Target>);
    let targets = Memo::new(move |_| {
        let engine = store
            .request
            .with(|request| request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name));
        Target::iter()
            .filter(|target| engine == EngineName::Payload || target.engine() == engine)
            .map(Target::as_str)
            .collect::<Vec<_>>()
    });
    let target = Memo::new(move |_| {
        let known: Vec<Target> = targets.get().iter().filter_map(|name| name.parse().ok()).collect();
        chosen.get().filter(|target| known.contains(target)).or_else(|| known.first().copied())
    });
    let text = Memo::new(move |_| {
        let request = store.request.get();
        let Some(target) = target.get() else {
            return Err("no command line is written for this engine".to_owned());
        };
        store.planner.with_untracked(|planner| {
            let model = planner.model().map_err(said)?;
            export(target, model, &request, None).map(|launch| launch.text()).map_err(|error| said(&error))
        })
    });
    let copied = RwSignal::new(None);
    view! {
        <section class="run" aria-labelledby="run-title">
            <h2 id="run-title">
                "Run"
                <span class="segments">
                    {move || {
                        targets
                            .get()
                            .into_iter()
                            .map(|name| {
                                let is = move || target.get().is_some_and(|target| target.as_str() == name);
                                view! {
                                    <button
                                        type="button"
                                        aria-pressed=move || if is() { "true" } else { "false" }
                                        on:click=move |_| chosen.set(name.parse().ok())
                                    >
                                        {name}
                                    </button>
                                }
                            })
                            .collect_view()
                    }}
                </span>
                <button
                    type="button"
                    class="small"
                    disabled=move || text.with(Result::is_err)
                    on:click=move |_| {
                        if let Ok(text) = text.get_untracked() {
                            save::copy(text, copied);
                        }
                    }
                >
                    "copy"
                </button>
                <span class="quiet" role="status">{move || copied.get()}</span>
            </h2>
            <pre tabindex="0" aria-label="Command">{move || text.get().unwrap_or_else(|error| error)}</pre>
        </section>
    }
    .into_any()
}
