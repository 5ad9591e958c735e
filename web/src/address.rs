//! The URL is the state: behind the `#`, so that no server ever sees it. Plans are steps of the browser's history;
//! sliders on their way and what is merely looked at are not.

use crate::store::{Store, said};
use crate::{first, intake};
use kvplan_core::plan::Request;
use kvplan_core::planner::{Field, Planner, State, link};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

/// The planner of the present URL, and what is to be said about it.
pub(crate) fn opened() -> (Planner, Option<String>) {
    let Some(line) = line() else { return (Planner::new(first::state()), None) };
    match link::read(&line) {
        Ok(opened) => (Planner::new(opened.state), noted(&opened.changes)),
        Err(error) => {
            let note = format!("The link could not be read: {}. This is the example.", said(&error));
            (Planner::new(first::state()), Some(note))
        }
    }
}

/// Whether the page was opened without a state: then the machine is an example.
pub(crate) fn is_first() -> bool {
    line().is_none()
}

/// The whole link.
pub(crate) fn of(planner: &Planner) -> String {
    let location = window().location();
    let base = [location.origin(), location.pathname()].map(Result::unwrap_or_default).concat();
    format!("{base}#{}", link::write(planner))
}

/// The state in the address, where there is one.
pub(crate) fn line() -> Option<String> {
    let hash = window().location().hash().ok()?;
    let line = hash.trim_start_matches('#');
    (!line.is_empty()).then(|| line.to_owned())
}

fn noted(changes: &[String]) -> Option<String> {
    (!changes.is_empty()).then(|| format!("Since this link was made: {}.", changes.join("; ")))
}

/// Writes every plan into the URL, and follows the browser's back and forward.
pub(crate) fn follow(store: Store) {
    let arriving = StoredValue::new(true);
    Effect::new(move |last: Option<Inputs>| {
        if store.dragging.get().is_some() {
            return last.unwrap_or_else(|| inputs(&store.planner.read_untracked()));
        }
        let planner = store.planner.read();
        let now = inputs(&planner);
        let line = link::write(&planner);
        if self::line().as_deref() != Some(&line) {
            let is_step = last.is_some_and(|last| last != now) && !arriving.get_value();
            write(&line, is_step);
        }
        arriving.set_value(false);
        now
    });
    let back = window_event_listener(leptos::ev::popstate, move |_| {
        leptos::task::spawn_local(async move {
            if let Some(line) = line() {
                intake::prepare(&line).await;
            }
            walk(store, arriving);
        });
    });
    on_cleanup(move || back.remove());
}

/// Opens what the address says by now.
fn walk(store: Store, arriving: StoredValue<bool>) {
    let state = match line() {
        None => Ok((first::state(), None)),
        Some(line) => link::read(&line).map(|opened| (opened.state, noted(&opened.changes))),
    };
    match state {
        Ok((state, note)) => open(store, state, note, arriving),
        Err(error) => store.notice.set(Some(format!("The link could not be read: {}.", said(&error)))),
    }
}

/// What makes a step: the request, plan A, the number kept at its largest.
type Inputs = (Request, Option<Request>, Option<Field>);

fn inputs(planner: &Planner) -> Inputs {
    let state = planner.state();
    (state.request.clone(), state.pinned.as_deref().cloned(), state.largest)
}

fn open(store: Store, state: State, note: Option<String>, arriving: StoredValue<bool>) {
    arriving.set_value(true);
    store.planner.update(|planner| {
        planner.open(state);
    });
    store.notice.set(note);
}

fn write(line: &str, is_step: bool) {
    let Ok(history) = window().history() else { return };
    let url = format!("#{line}");
    // A browser that limits how often may refuse; the next plan is written again.
    let _refused = if is_step {
        history.push_state_with_url(&JsValue::NULL, "", Some(&url))
    } else {
        history.replace_state_with_url(&JsValue::NULL, "", Some(&url))
    };
}
