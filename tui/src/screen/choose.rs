//! Which list a key or an item opens.

use super::app::{App, Mode};
use super::entry::{Entry, Purpose};
use super::lists::{self, Whose};
use super::picker::{List, Picker};
use super::{more, options};
use kvplan_core::cache::Knob;
use kvplan_core::plan::{ModelRef, Request, resolve_model};
use kvplan_core::planner::Field;

impl App {
    pub(super) fn choose_model(&mut self) {
        let current = match &self.planner.state().request.model {
            ModelRef::Id(id) => Some(id.as_str()),
            ModelRef::Hf(_) | ModelRef::Gguf(_) | ModelRef::Spec(_) => None,
        };
        self.mode = Mode::Pick(lists::models(current));
    }

    pub(super) fn choose_weights(&mut self) {
        let state = self.planner.state();
        let list = lists::weight_formats(Whose::Model, self.planner.model().ok(), &state.request, state.view);
        self.mode = Mode::Pick(list);
    }

    pub(super) fn choose_codec(&mut self, knob: Knob) {
        let request = &self.planner.state().request;
        // Without a machine nothing is searched: whether a type can be had is all that is asked.
        let alone = Request { hardware: Vec::new(), ..request.clone() };
        let answers = self.planner.plan_of(&alone).is_ok();
        let refused = |codec: &str| {
            let mut asked = alone.clone();
            asked.cache.set(knob, Some(codec.to_owned()));
            let error = answers.then(|| self.planner.plan_of(&asked).err()).flatten()?;
            Some(error.message)
        };
        let list = lists::codecs(Whose::Model, knob, self.engine(), request.cache.side(knob), refused);
        self.mode = Mode::Pick(list);
    }

    pub(super) fn choose_more(&mut self) {
        let state = self.planner.state();
        self.mode = Mode::Pick(more::more(&state.request, state.view));
    }

    /// Opens the list that an item of another leads to.
    pub(super) fn choose_from(&mut self, list: List) {
        let state = self.planner.state();
        let (request, view) = (&state.request, state.view);
        let found: Option<Picker> = match &list {
            List::Draft => Some(more::drafts(self.planner.model().ok(), request, view)),
            List::DraftWeights => {
                let draft = request.extras.as_ref().and_then(|extras| extras.draft.as_ref());
                let draft = draft.and_then(|draft| resolve_model(draft).ok());
                Some(lists::weight_formats(Whose::Draft, draft.as_deref(), request, view))
            }
            List::DraftCache(knob) => Some(more::draft_codecs(*knob, request)),
            List::Option(name) => options::values(self.engine(), name, request),
        };
        self.mode = match (found, list) {
            (Some(list), _) => Mode::Pick(list),
            // What has no list of values is typed.
            (None, List::Option(name)) => Mode::Type(Entry::new(Purpose::Option(name), None)),
            (None, List::Draft | List::DraftWeights | List::DraftCache(_)) => Mode::Browse,
        };
    }

    pub(super) fn type_number(&mut self, field: Field) {
        self.focus = field;
        self.mode = Mode::Type(Entry::new(Purpose::Number(field), None));
    }
}
