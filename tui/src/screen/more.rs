//! `f`: everything that has no key of its own: the draft model, numbers, and the engine's own options.

use super::lists::Whose;
use super::options;
use super::picker::{Item, List, Picker, Take};
use kvplan_core::cache::Knob;
use kvplan_core::engine::EngineName;
use kvplan_core::plan::{ModelRef, Request, WeightsRequest};
use kvplan_core::planner::view::drafts::{self, Draft};
use kvplan_core::planner::view::{change, text};
use kvplan_core::planner::{Action, Field, View};
use kvplan_core::spec::ModelSpec;
use kvplan_core::unit::{Bytes, grouped};
use strum::IntoEnumIterator as _;

/// Everything, with what it is set to.
pub(crate) fn more(request: &Request, view: View) -> Picker {
    let engine = request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name);
    let numbers =
        Field::iter().filter(|field| !matches!(field, Field::Context | Field::Sequences)).map(|field| {
            let set = field.get(request).map(|n| change::number(field, n, view));
            Item {
                label: field.label().to_owned(),
                detail: set.unwrap_or_else(|| "default".to_owned()),
                also: field.to_string(),
                take: Take::Type(field),
            }
        });
    let items =
        draft(request, view).into_iter().chain(numbers).chain(options::items(engine, request)).collect();
    Picker::new("more", items, None)
}

/// The draft model, and what can be said of the one that is set.
fn draft(request: &Request, view: View) -> Vec<Item> {
    let item = |label: &str, detail: &str, list: List| Item {
        label: label.to_owned(),
        detail: detail.to_owned(),
        also: "speculative".to_owned(),
        take: Take::List(list),
    };
    let or =
        |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
    let mut items = vec![item("draft model", &or(&change::draft(request, view), "none"), List::Draft)];
    if let Some(extras) = request.extras.as_ref().filter(|extras| extras.draft.is_some()) {
        let weights = match &extras.draft_weights {
            Some(WeightsRequest::Format(format)) => format.clone(),
            Some(WeightsRequest::Bytes(bytes)) => text::bytes(Bytes::new(*bytes), view),
            None => "none".to_owned(),
        };
        items.push(item("draft weights", &weights, List::DraftWeights));
        for (label, knob) in [("draft cache K", Knob::K), ("draft cache V", Knob::V)] {
            let codec = extras.draft_cache.side(knob).unwrap_or_default();
            items.push(item(label, &or(codec, "default"), List::DraftCache(knob)));
        }
    }
    items
}

/// Catalogued models that could draft for the model.
pub(crate) fn drafts(model: Option<&ModelSpec>, request: &Request, view: View) -> Picker {
    let mut items: Vec<Item> = drafts::drafts(model)
        .into_iter()
        .map(|Draft { model, bytes, vocabularies }| {
            let others = vocabularies.map_or_else(String::new, |(own, its)| {
                format!("   another vocabulary: {} tokens, not {}", grouped(its), grouped(own))
            });
            let id = model.id().to_owned();
            Item {
                detail: format!("{}  {} in bf16{others}", model.name(), text::bytes(bytes, view)),
                also: model.record().aliases.join(" "),
                take: Take::Do(Box::new(Action::Draft(Some(ModelRef::Id(id.clone()))))),
                label: id,
            }
        })
        .collect();
    let none = Item {
        label: "none".to_owned(),
        detail: "no draft model".to_owned(),
        also: String::new(),
        take: Take::Do(Box::new(Action::Draft(None))),
    };
    let set = request.extras.as_ref().and_then(|extras| match extras.draft.as_ref()? {
        ModelRef::Id(id) => Some(id.as_str()),
        ModelRef::Hf(_) | ModelRef::Gguf(_) | ModelRef::Spec(_) => None,
    });
    let at = if set.is_some() { 0 } else { items.len() };
    items.insert(at, none);
    Picker::new("draft model", items, set)
}

/// Codecs of the draft's cache.
pub(crate) fn draft_codecs(knob: Knob, request: &Request) -> Picker {
    let engine = request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name);
    let set = request.extras.as_ref().and_then(|extras| extras.draft_cache.side(knob));
    super::lists::codecs(Whose::Draft, knob, engine, set, |_| None)
}
