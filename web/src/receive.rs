//! Files and texts dropped, chosen or pasted.

use crate::intake;
use crate::store::{Store, said};
use kvplan_core::error::PlanError;
use kvplan_core::plan::{ModelRef, Request, WeightsRequest, resolve_model};
use kvplan_core::planner::view::text::grouped;
use kvplan_core::planner::{Action, Field, link};
use kvplan_core::unit::Bytes;
use kvplan_web_intake::answer::{Command, Log, Taken};
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::{File, HtmlElement};

/// What a pasted text or a file came to, shown until it is put away.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Received {
    Command(Command),
    Log(Log),
}

/// Where received things are shown.
#[derive(Clone, Copy)]
pub(crate) struct Inbox {
    pub store: Store,
    pub shown: RwSignal<Option<Received>>,
}

impl Inbox {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, shown: RwSignal::new(None) }
    }

    /// Takes a text.
    pub(crate) fn text(self, text: String) {
        self.store.notice.set(Some("Reading what was pasted.".to_owned()));
        let set = self.model();
        leptos::task::spawn_local(async move { self.take(intake::text(&text, &set).await) });
    }

    /// Takes a file.
    pub(crate) fn file(self, file: File) {
        self.store.notice.set(Some(format!("Reading {}.", file.name())));
        let set = self.model();
        leptos::task::spawn_local(async move { self.take(intake::file(&file, &set).await) });
    }

    /// The model that is set: a log that names none stands beside its plan.
    fn model(self) -> ModelRef {
        self.store.request.with_untracked(|request| request.model.clone())
    }

    fn take(self, taken: Result<Taken, PlanError>) {
        let store = self.store;
        match taken {
            Err(error) => store.notice.set(Some(said(&error))),
            Ok(taken) => {
                let note = self.apply(taken);
                store.notice.set(Some(note));
            }
        }
    }

    /// Makes it the state, and says what was taken.
    fn apply(self, taken: Taken) -> String {
        let store = self.store;
        match taken {
            Taken::Model { model, weights } => {
                if resolve_model(&model).is_err() {
                    let opened = store
                        .planner
                        .try_update(|planner| planner.open_unread(model, weights.map(Bytes::new)));
                    return match opened {
                        Some(Err(error)) => said(&error),
                        Some(Ok(_)) | None => {
                            "Read, and not understood: undo brings back what was set.".to_owned()
                        }
                    };
                }
                let before = store.request.get_untracked();
                let weights =
                    weights.map_or(before.weights.clone(), |bytes| Some(WeightsRequest::Bytes(bytes)));
                store.act(Action::Adopt(Box::new(Request { model, weights, ..before })));
                "Model taken; everything else is as it was.".to_owned()
            }
            Taken::Weights(bytes) => {
                store.act(Action::Weights(Some(WeightsRequest::Bytes(bytes))));
                format!("{} bytes of weights taken; the layers are those of the model above.", grouped(bytes))
            }
            Taken::Command { request, shown } => {
                let note = format!(
                    "{}: {} flags taken, {} left.",
                    shown.program,
                    shown.taken.len(),
                    shown.left.len()
                );
                store.act(Action::Adopt(Box::new(self.on_this_machine(*request))));
                self.shown.set(Some(Received::Command(shown)));
                note
            }
            Taken::Log { request, shown } => {
                let agrees = if shown.agrees() {
                    "every figure agrees or is explained"
                } else {
                    "some figures differ"
                };
                let note = format!("Log of {}: {agrees}.", shown.program);
                store.act(Action::Adopt(Box::new(self.on_this_machine(*request))));
                self.shown.set(Some(Received::Log(shown)));
                note
            }
            Taken::Link(line) => match link::read(&line) {
                Err(error) => said(&error),
                Ok(opened) => {
                    let changes = opened.changes.join("; ");
                    store.planner.update(|planner| {
                        planner.open(opened.state);
                    });
                    if changes.is_empty() {
                        "Link opened.".to_owned()
                    } else {
                        format!("Since this link was made: {changes}.")
                    }
                }
            },
            Taken::Request(request) => {
                store.act(Action::Adopt(request));
                "Request taken.".to_owned()
            }
            Taken::Tokens(tokens) => {
                store.act(Action::Set { field: Field::Context, to: Some(tokens) });
                format!("Context set to {} tokens.", grouped(tokens))
            }
            Taken::Bytes(bytes) => {
                store.act(Action::Weights(Some(WeightsRequest::Bytes(bytes))));
                format!("Weights set to {} bytes.", grouped(bytes))
            }
        }
    }

    /// A command line and a log say nothing of the machine: it stays.
    fn on_this_machine(self, asked: Request) -> Request {
        let now = self.store.request.get_untracked();
        let weights = if asked.model == now.model { now.weights } else { asked.weights.clone() };
        Request { hardware: now.hardware, reserve: now.reserve, weights, ..asked }
    }

    /// Listens to the whole page.
    pub(crate) fn listen(self) {
        let pasted = window_event_listener(ev::paste, move |event| {
            let Some(event) = event.dyn_ref::<web_sys::ClipboardEvent>() else { return };
            // Into a field, text is typed.
            let typing = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
            if typing.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA")) {
                return;
            }
            let Some(data) = event.clipboard_data() else { return };
            if let Some(file) = data.files().and_then(|files| files.get(0)) {
                self.file(file);
            } else if let Ok(text) = data.get_data("text/plain") {
                self.text(text);
            }
        });
        let over = window_event_listener(ev::dragover, |event| event.prevent_default());
        let dropped = window_event_listener(ev::drop, move |event| {
            event.prevent_default();
            let Some(data) = event.data_transfer() else { return };
            if let Some(file) = data.files().and_then(|files| files.get(0)) {
                self.file(file);
            } else if let Ok(text) = data.get_data("text/plain") {
                self.text(text);
            }
        });
        on_cleanup(move || {
            pasted.remove();
            over.remove();
            dropped.remove();
        });
    }
}
