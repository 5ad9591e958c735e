//! `f`: everything that has no key of its own: the draft model, numbers, and the engine's own options.

use super::lists::Whose;
use super::options;
use super::picker::{Item, List, Picker, Take};
use kvplan_core::cache::Knob;
use kvplan_core::engine::EngineName;
use kvplan_core::plan::{ModelRef, Request, WeightsRequest};
use kvplan_core::planner::view::{change, text};
use kvplan_core::planner::{Action, Field, View};
use kvplan_core::spec::{ModelSpec, catalog};
use kvplan_core::unit::{Bytes, grouped};
use kvplan_core::weights::{self, WeightFormat};
use std::cmp::Reverse;
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

/// Vocabularies of one tokenizer are padded to different sizes: up to so many rows llama.cpp takes them for the same
/// (`SPEC_VOCAB_MAX_SIZE_DIFFERENCE`, common/speculative.cpp).
const PADDED: u64 = 128;

/// Catalogued models that are smaller than the model, its own family first, and those that read the same tokens.
pub(crate) fn drafts(model: Option<&ModelSpec>, request: &Request, view: View) -> Picker {
    let size = |model: &ModelSpec| {
        let all = WeightFormat::parse("bf16").and_then(|format| weights::of(model, format).ok());
        all.and_then(|all| all.loaded().ok())
    };
    let vocabulary = |model: &ModelSpec| model.record().vocab_size;
    let (most, own) = (model.and_then(size), model.and_then(vocabulary));
    let kin = |id: &str| {
        model.map_or(0, |model| id.bytes().zip(model.id().bytes()).take_while(|(a, b)| a == b).count())
    };
    let mut found: Vec<(Bytes, Item)> = catalog::all()
        .filter_map(Result::ok)
        .filter_map(|draft| Some((size(draft)?, draft)))
        .filter(|(bytes, _)| most.is_none_or(|most| *bytes < most))
        .map(|(bytes, draft)| {
            let others = own.zip(vocabulary(draft)).filter(|(own, its)| own.abs_diff(*its) > PADDED);
            let others = others.map_or_else(String::new, |(own, its)| {
                format!("   another vocabulary: {} tokens, not {}", grouped(its), grouped(own))
            });
            let id = draft.id().to_owned();
            let item = Item {
                detail: format!("{}  {} in bf16{others}", draft.name(), text::bytes(bytes, view)),
                also: draft.record().aliases.join(" "),
                take: Take::Do(Box::new(Action::Draft(Some(ModelRef::Id(id.clone()))))),
                label: id,
            };
            (bytes, item)
        })
        .collect();
    let strange = |item: &Item| item.detail.contains("another vocabulary");
    found.sort_by_key(|(bytes, item)| (strange(item), Reverse(kin(&item.label)), *bytes));
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
    let at = if set.is_some() { 0 } else { found.len() };
    let mut items: Vec<Item> = found.into_iter().map(|(_, item)| item).collect();
    items.insert(at, none);
    Picker::new("draft model", items, set)
}

/// Codecs of the draft's cache.
pub(crate) fn draft_codecs(knob: Knob, request: &Request) -> Picker {
    let engine = request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name);
    let set = request.extras.as_ref().and_then(|extras| extras.draft_cache.side(knob));
    super::lists::codecs(Whose::Draft, knob, engine, set)
}
