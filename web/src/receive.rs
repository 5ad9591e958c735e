//! Files dropped, chosen or pasted. A file gives as many of its first bytes as its header needs, and nothing of it leaves
//! the page.

use crate::store::{Store, said};
use crate::taken::{self, Step, Taken};
use js_sys::Uint8Array;
use kvplan_core::error::PlanError;
use kvplan_core::launch::Reading;
use kvplan_core::plan::{Request, WeightsRequest};
use kvplan_core::planner::view::text::grouped;
use kvplan_core::planner::{Action, Field};
use kvplan_core::reconcile::Reconciliation;
use kvplan_core::spec::source::Prefix;
use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, HtmlElement};

/// First read of a file: most headers without a tokenizer's table are shorter.
const FIRST: u64 = 1 << 20;
/// Longest header that is read.
const LONGEST: u64 = 512 << 20;

/// What a pasted text or a file came to, shown until it is put away.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Received {
    Command(Box<Reading>),
    Log(Box<Reconciliation>),
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
    pub(crate) fn text(self, text: &str) {
        self.take(taken::text(text));
    }

    /// Takes a file.
    pub(crate) fn file(self, file: File) {
        self.store.notice.set(Some(format!("Reading {}.", file.name())));
        leptos::task::spawn_local(async move { self.take(read(&file).await) });
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
            Taken::Command(reading) => {
                let note = format!(
                    "{}: {} flags taken, {} left.",
                    reading.program,
                    reading.taken.len(),
                    reading.ignored.len()
                );
                store.act(Action::Adopt(Box::new(self.on_this_machine(reading.request.clone()))));
                self.shown.set(Some(Received::Command(reading)));
                note
            }
            Taken::Log(found) => {
                let agrees = if found.agrees() {
                    "every figure agrees or is explained"
                } else {
                    "some figures differ"
                };
                let note = format!("Log of {}: {agrees}.", found.engine);
                store.act(Action::Adopt(Box::new(self.on_this_machine(found.request.clone()))));
                self.shown.set(Some(Received::Log(found)));
                note
            }
            Taken::Link(opened) => {
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
                self.text(&text);
            }
        });
        let over = window_event_listener(ev::dragover, |event| event.prevent_default());
        let dropped = window_event_listener(ev::drop, move |event| {
            event.prevent_default();
            let Some(data) = event.data_transfer() else { return };
            if let Some(file) = data.files().and_then(|files| files.get(0)) {
                self.file(file);
            } else if let Ok(text) = data.get_data("text/plain") {
                self.text(&text);
            }
        });
        on_cleanup(move || {
            pasted.remove();
            over.remove();
            dropped.remove();
        });
    }
}

/// Reads a longer and longer beginning until it is enough.
async fn read(file: &File) -> Result<Taken, PlanError> {
    let file_len = whole(file.size());
    let mut want = FIRST.min(file_len);
    loop {
        let bytes = beginning(file, want).await?;
        match taken::file(&file.name(), Prefix { bytes: &bytes, file_len }) {
            Step::Done(done) => return *done,
            Step::More(need) => {
                let next = need.max(want.saturating_mul(2)).min(file_len);
                if next <= want || next > LONGEST {
                    let message = format!("{}: its header needs {} bytes", file.name(), grouped(need));
                    return Err(PlanError::invalid("", message));
                }
                want = next;
            }
        }
    }
}

async fn beginning(file: &File, bytes: u64) -> Result<Vec<u8>, PlanError> {
    let failed = |_| PlanError::invalid("", format!("{}: the browser could not read it", file.name()));
    let slice = file.slice_with_f64_and_f64(0.0, double(bytes)).map_err(failed)?;
    let buffer = JsFuture::from(slice.array_buffer()).await.map_err(failed)?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

#[expect(clippy::cast_precision_loss, reason = "lengths of files that are read are far below 2^53")]
const fn double(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the browser counts a file's bytes in a double, exactly up to 2^53"
)]
const fn whole(bytes: f64) -> u64 {
    bytes as u64
}
