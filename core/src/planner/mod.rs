//! The planner's state: what a person has set, what they look at, and how to take it back.
//!
//! The terminal and the browser planner hold one [`Planner`], feed it [`Action`]s and draw what it holds: they differ in
//! view and input mapping only. A planner asks the same [`Request`] that `kvplan plan` asks, so its figures are the same
//! figures; nothing here computes a byte.
//!
//! - [`state`]: [`State`], everything that is shared by a link: the request, plan A, the view.
//! - [`field`]: the numbers a person can set, each with its place in the request.
//! - [`action`]: what can happen, as data.
//! - [`beside`]: what lives beside the model: a draft model, a projector, adapters.
//! - [`history`]: undo and redo; a drag or a burst of keys is one step.
//! - [`link`]: the state as one short line of text, with the versions of rules and data it was made under.
//! - [`preset`]: states that are offered by name.
//! - [`snap`]: where a moving number stops, and what it stops at.
//! - [`view`]: what the panels show, ready to be drawn.

pub mod action;
mod beside;
pub mod field;
pub mod history;
mod largest;
pub mod link;
pub mod preset;
pub mod snap;
pub mod state;
pub mod view;

pub use action::{Action, Effect, Most};
pub use field::{Field, Unit};
pub use state::{Figure, Lens, Part, State, Tab, Units, View};

use crate::engine::EngineName;
use crate::error::PlanError;
use crate::plan::{self, EngineRequest, ModelRef, Plan, Request, WeightsRequest};
use crate::spec::ModelSpec;
use crate::unit::Bytes;
use crate::weights::WeightFormat;
use history::History;
use std::borrow::Cow;

/// A state with its history, and the model it names, understood once.
#[derive(Debug, Clone)]
pub struct Planner {
    state: State,
    history: History,
    model: Result<Cow<'static, ModelSpec>, PlanError>,
    files: Vec<OpenedFile>,
    unread: Vec<(ModelRef, Bytes)>,
}

/// A model that was read from a file with its weights: what a link carries of it is its layers.
#[derive(Debug, Clone)]
struct OpenedFile {
    asked: ModelRef,
    model: ModelSpec,
    path: String,
}

/// Opened files that are remembered, for undo and plan A.
const FILES: usize = 8;

impl Planner {
    /// A planner that opens on `state`.
    #[must_use]
    pub fn new(state: State) -> Self {
        let model = plan::resolve_model(&state.request.model);
        Self { state, history: History::default(), model, files: Vec::new(), unread: Vec::new() }
    }

    /// What is set and shown.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The model, or why it is not understood.
    ///
    /// # Errors
    /// As [`plan::resolve_model`].
    pub fn model(&self) -> Result<&ModelSpec, &PlanError> {
        self.model.as_deref()
    }

    /// Where the file is that the model and its weights were read from; nothing where other weights are set.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        let request = &self.state.request;
        let opened = self.files.iter().find(|file| file.asked == request.model)?;
        request.weights.is_none().then_some(opened.path.as_str())
    }

    /// What the weights of a file weigh whose model is not understood; nothing where other weights are set.
    #[must_use]
    pub fn unread_weights(&self) -> Option<Bytes> {
        let request = &self.state.request;
        let (_, weights) = self.unread.iter().find(|(asked, _)| *asked == request.model)?;
        request.weights.is_none().then_some(*weights)
    }

    /// The plan of what is set.
    ///
    /// # Errors
    /// As [`plan::plan`].
    pub fn plan(&self) -> Result<Plan, PlanError> {
        self.plan_of(&self.state.request)
    }

    /// The plan of another request: plan A, what was set before, a previewed change.
    ///
    /// # Errors
    /// As [`plan::plan_model`].
    pub fn plan_of(&self, request: &Request) -> Result<Plan, PlanError> {
        plan::plan_model(&*self.model_of(request)?, request)
    }

    /// The model of another request, which may not be the one that is set.
    ///
    /// # Errors
    /// As [`plan::resolve_model`].
    pub fn model_of(&self, request: &Request) -> Result<Cow<'_, ModelSpec>, PlanError> {
        if request.model != self.state.request.model {
            return self.resolve(&request.model);
        }
        self.model.as_deref().map(Cow::Borrowed).map_err(Clone::clone)
    }

    /// What was set before the last change: the other end of the "last change" line.
    #[must_use]
    pub fn before(&self) -> Option<&Request> {
        self.history.before()
    }

    /// Steps that can be undone and redone.
    #[must_use]
    pub fn steps(&self) -> (usize, usize) {
        self.history.steps()
    }

    /// Lets an action happen.
    ///
    /// # Errors
    /// [`PlanError`] where the action is no valid input at all (an unknown codec, an engine's option on another
    /// engine); the state is then what it was. An input that an engine refuses is a valid state: its plan is the error.
    pub fn update(&mut self, action: Action) -> Result<Effect, PlanError> {
        let burst = action.burst();
        let (sets, asked) = (action.sets(), matches!(action, Action::Largest(_)));
        let mut next = self.state.clone();
        let mut effect = Effect::default();
        match action {
            Action::Undo => return Ok(self.walk(History::undo)),
            Action::Redo => return Ok(self.walk(History::redo)),
            Action::Settle => {
                self.history.settle();
                return Ok(effect);
            }
            Action::Model(model) => next.request.model = model,
            Action::Adopt(request) => next.request = *request,
            Action::Engine(name) => set_engine(&mut next.request, name, &mut effect),
            Action::EngineOption { name, value } => {
                let engine = next
                    .request
                    .engine
                    .get_or_insert_with(|| EngineRequest::default_of(EngineName::default()));
                match value {
                    Some(value) => engine.options.insert(name, value),
                    None => engine.options.remove(&name),
                };
            }
            Action::Cache { knob, codec } => {
                next.request.cache.set(knob, codec);
                field::unshadow_codec(&mut next.request, knob, &mut effect);
            }
            Action::Set { field, to } | Action::Drag { field, to } => {
                field.set(&mut next.request, to)?;
                field::unshadow(&mut next.request, field, &mut effect);
            }
            Action::Largest(field) => next.largest = Some(field),
            Action::Weights(weights) => {
                check_weights(weights.as_ref())?;
                next.request.weights = weights;
            }
            Action::Draft(model) => beside::set_draft(&mut next.request, model)?,
            Action::DraftWeights(weights) => {
                check_weights(weights.as_ref()).map_err(|error| error.within("extras.draft"))?;
                beside::draft(&mut next.request)?.draft_weights = weights;
            }
            Action::DraftCache { knob, codec } => {
                beside::draft(&mut next.request)?.draft_cache.set(knob, codec);
            }
            Action::Devices(devices) => next.request.hardware = devices,
            Action::Pin => next.pinned = Some(Box::new(next.request.clone())),
            Action::Unpin => next.pinned = None,
            Action::SwapPinned => {
                if let Some(pinned) = &mut next.pinned {
                    std::mem::swap(pinned.as_mut(), &mut next.request);
                }
            }
            Action::Tab(tab) => next.view.tab = tab,
            Action::Lens(lens) => next.view.lens = lens,
            Action::Select(figure) => next.view.figure = figure,
            Action::Units(units) => next.view.units = units,
            Action::ExactBytes(exact) => next.view.exact_bytes = exact,
        }
        next.request.check()?;
        if next.largest.is_some() && next.largest == sets {
            next.largest = None;
        }
        if asked || next.request != self.state.request {
            self.keep_largest(&mut next, asked, &mut effect)?;
        }
        self.enter(next, burst, &mut effect);
        Ok(effect)
    }

    /// Sets the number that is kept at the largest that fits. Where nothing fits any more it stays what it was; only who
    /// asks for the largest is told.
    fn keep_largest(&self, next: &mut State, asked: bool, effect: &mut Effect) -> Result<(), PlanError> {
        let Some(field) = next.largest else { return Ok(()) };
        let moved = next.request.model != self.state.request.model;
        let model = if moved { self.resolve(&next.request.model) } else { self.model.clone() };
        match model.and_then(|model| largest::of(&model, &next.request, field)) {
            Ok(most) => {
                effect.most = Some(most);
                field.set(&mut next.request, Some(most.value))?;
                field::unshadow(&mut next.request, field, effect);
                Ok(())
            }
            Err(error) if asked => Err(error),
            Err(_) => Ok(()),
        }
    }

    /// Takes a step, where it is one: a new view alone can be shared, not undone.
    fn enter(&mut self, next: State, burst: Option<Field>, effect: &mut Effect) {
        effect.view = next.view != self.state.view;
        effect.inputs = next.request != self.state.request
            || next.pinned != self.state.pinned
            || next.largest != self.state.largest;
        if !effect.inputs {
            self.state.view = next.view;
            return;
        }
        let moved = next.request.model != self.state.request.model;
        let last = std::mem::replace(&mut self.state, next);
        self.history.push(last, burst);
        if moved {
            self.model = self.resolve(&self.state.request.model);
        }
    }

    fn walk(&mut self, step: impl FnOnce(&mut History, &mut State) -> bool) -> Effect {
        let inputs = step(&mut self.history, &mut self.state);
        if inputs {
            self.model = self.resolve(&self.state.request.model);
        }
        Effect { inputs, ..Effect::default() }
    }

    /// Shows another state, from a link or a file, as one step that can be undone.
    pub fn open(&mut self, state: State) -> Effect {
        let mut effect = Effect::default();
        self.enter(state, None, &mut effect);
        effect
    }

    /// Opens a model that was read from a file at `path`, planned with the file's own weights where it has any. Everything
    /// else stays.
    ///
    /// # Errors
    /// As [`Planner::update`].
    pub fn open_model(&mut self, model: ModelSpec, path: &str) -> Result<Effect, PlanError> {
        let record = serde_json::to_value(model.record());
        let record = record.map_err(|error| PlanError::invalid("model", error.to_string()))?;
        let mut request = self.state.request.clone();
        request.model = ModelRef::Spec(record);
        if model.own_weights().is_some() {
            request.weights = None;
            self.files.retain(|file| file.asked != request.model);
            self.files.truncate(FILES - 1);
            let opened = OpenedFile { asked: request.model.clone(), model, path: path.to_owned() };
            self.files.insert(0, opened);
        }
        let effect = self.update(Action::Adopt(Box::new(request)))?;
        // Of another file of the same name the layers may be equal and the weights not.
        self.model = self.resolve(&self.state.request.model);
        Ok(Effect { inputs: true, ..effect })
    }

    /// Opens a model that was read from a file and is not understood, with what its tensors weigh where that is known. The
    /// weights of the last model are not this one's. Everything else stays.
    ///
    /// # Errors
    /// As [`Planner::update`].
    pub fn open_unread(&mut self, asked: ModelRef, weights: Option<Bytes>) -> Result<Effect, PlanError> {
        let mut request = self.state.request.clone();
        if weights.is_some() || matches!(request.weights, Some(WeightsRequest::Bytes(_))) {
            request.weights = None;
        }
        if let Some(weights) = weights {
            self.unread.retain(|(known, _)| *known != asked);
            self.unread.truncate(FILES - 1);
            self.unread.insert(0, (asked.clone(), weights));
        }
        request.model = asked;
        self.update(Action::Adopt(Box::new(request)))
    }

    /// The model of a request: an opened file's with its weights, or what the request names or carries.
    fn resolve(&self, asked: &ModelRef) -> Result<Cow<'static, ModelSpec>, PlanError> {
        match self.files.iter().find(|file| file.asked == *asked) {
            Some(file) => Ok(Cow::Owned(file.model.clone())),
            None => plan::resolve_model(asked),
        }
    }
}

/// A format that does not exist is no input; one that does not suit the model is a plan's matter.
fn check_weights(weights: Option<&WeightsRequest>) -> Result<(), PlanError> {
    match weights {
        Some(WeightsRequest::Format(name)) if WeightFormat::parse(name).is_none() => {
            let message = format!("no weight format `{name}`; known: {}", WeightFormat::names().join(", "));
            Err(PlanError::invalid("weights.format", message).with_value(name.as_str()))
        }
        Some(WeightsRequest::Format(_) | WeightsRequest::Bytes(_)) | None => Ok(()),
    }
}

/// Another engine; the options of the last one mean nothing to it.
fn set_engine(request: &mut Request, name: EngineName, effect: &mut Effect) {
    if request.engine.as_ref().is_some_and(|engine| engine.name == name) {
        return;
    }
    if let Some(last) = request.engine.replace(EngineRequest::default_of(name)) {
        effect.dropped.extend(last.options.into_iter().map(|(option, _)| option));
    }
}

#[cfg(test)]
mod tests;
