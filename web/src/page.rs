//! The page: a head with the screens, the inputs beside what they come to.

use crate::input::inputs;
use crate::panel;
use crate::receive::Inbox;
use crate::store::Store;
use crate::theme::Theme;
use crate::{address, first};
use kvplan_core::planner::{Action, Tab, Units};
use leptos::ev;
use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

/// Screens that are built; recorded traces are replayed on the command line.
const TABS: [(Tab, &str); 3] = [(Tab::Plan, "Plan"), (Tab::Compare, "Compare"), (Tab::Proof, "Proof")];

/// Puts the planner into the page's `#planner`.
pub(crate) fn mount() {
    let Some(root) = document().get_element_by_id("planner") else { return };
    root.set_inner_html("");
    leptos::mount::mount_to(root.unchecked_into(), page).forget();
}

fn page() -> AnyView {
    let example = address::is_first();
    let (planner, note) = address::opened();
    let store = Store::new(planner);
    store.notice.set(note);
    let (inbox, theme) = (Inbox::new(store), Theme::new());
    address::follow(store);
    inbox.listen();
    let keys = window_event_listener(ev::keydown, move |event| shortcut(store, &event));
    on_cleanup(move || keys.remove());
    // The proof has a module and a page part of its own, beside this one.
    Effect::new(move |_| {
        let shown = store.view.get().tab == Tab::Proof;
        if let Some(proof) = document().get_element_by_id("proof") {
            let _shown = proof.toggle_attribute_with_force("hidden", !shown);
        }
    });
    let chart = panel::chart_of(store);
    let canvas = NodeRef::<Canvas>::new();
    let on = move |tab: Tab| match store.view.get().tab {
        // A screen of the terminal planner.
        Tab::Traces => tab == Tab::Plan,
        Tab::Plan | Tab::Compare | Tab::Proof => store.view.get().tab == tab,
    };
    let sheet = RwSignal::new(false);
    view! {
        {header(store, theme, chart, canvas)}
        <main class="planner" class:sheet=move || sheet.get() hidden=move || on(Tab::Proof)>
            {inputs(store, inbox, example)}
            <button
                type="button"
                class="pull"
                aria-expanded=move || if sheet.get() { "true" } else { "false" }
                on:click=move |_| sheet.update(|open| *open = !*open)
            >
                {move || if sheet.get() { "done" } else { "change model, machine, context" }}
            </button>
            <div class="results">
                <div class="answer">{panel::headline(store)} {panel::bars(store)}</div>
                {panel::received(inbox)}
                <div hidden=move || !on(Tab::Compare)>{move || on(Tab::Compare).then(|| panel::compare(store))}</div>
                <div class="pair" hidden=move || !on(Tab::Plan)>
                    {panel::curve(store, theme, chart, canvas)}
                    {panel::alternatives(store)}
                </div>
                <div hidden=move || !on(Tab::Plan)>
                    {panel::serving(store)}
                    {panel::layers(store)}
                    {panel::facts(store)}
                    {panel::why(store)}
                    {panel::run(store)}
                </div>
            </div>
        </main>
    }
    .into_any()
}

fn header(
    store: Store,
    theme: Theme,
    chart: Memo<Option<crate::chart::Chart>>,
    canvas: NodeRef<Canvas>,
) -> AnyView {
    let steps = Memo::new(move |_| store.planner.with(|planner| planner.steps()));
    let pinned = Memo::new(move |_| store.planner.with(|planner| planner.state().pinned.is_some()));
    let units = move || store.view.get().units;
    let other = move || match store.view.get_untracked().units {
        Units::GiB => Units::GB,
        Units::GB => Units::GiB,
    };
    view! {
        <header>
            <h1>"kvplan"</h1>
            <nav aria-label="Screens">
                {TABS
                    .map(|(tab, name)| {
                        view! {
                            <button
                                type="button"
                                aria-current=move || (store.view.get().tab == tab).then_some("page")
                                on:click=move |_| store.act(Action::Tab(tab))
                            >
                                {name}
                            </button>
                        }
                    })
                    .collect_view()}
            </nav>
            <p class="presets">
                {first::PRESETS
                    .map(|preset| {
                        view! { <a href=format!("#{}", preset.line)>{preset.name}</a> }
                    })
                    .collect_view()}
            </p>
            <div class="tools">
                <button type="button" disabled=move || steps.get().0 == 0 on:click=move |_| store.act(Action::Undo)>"undo"</button>
                <button type="button" disabled=move || steps.get().1 == 0 on:click=move |_| store.act(Action::Redo)>"redo"</button>
                <button
                    type="button"
                    aria-pressed=move || if pinned.get() { "true" } else { "false" }
                    on:click=move |_| store.act(if pinned.get_untracked() { Action::Unpin } else { Action::Pin })
                >
                    "pin as A"
                </button>
                {panel::share(store, theme, chart, canvas)}
                <button type="button" title="2^30 bytes, or 10^9" on:click=move |_| store.act(Action::Units(other()))>
                    {move || units().to_string()}
                </button>
                <button type="button" on:click=move |_| theme.turn()><span class="long">"theme: "</span>{move || theme.choice.get().to_string()}</button>
            </div>
        </header>
    }
    .into_any()
}

/// Keys that work anywhere but in a field.
fn shortcut(store: Store, event: &ev::KeyboardEvent) {
    let typing = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    if typing.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA")) {
        return;
    }
    let command = event.ctrl_key() || event.meta_key();
    let action = match (command, event.shift_key(), event.key().to_ascii_lowercase().as_str()) {
        (true, false, "z") => Action::Undo,
        (true, true, "z") | (true, false, "y") => Action::Redo,
        (false, false, "u") => Action::Undo,
        (false, false, "p") => Action::Pin,
        (false, false, "x") => Action::ExactBytes(!store.view.get_untracked().exact_bytes),
        _ => return,
    };
    event.prevent_default();
    store.act(action);
}
