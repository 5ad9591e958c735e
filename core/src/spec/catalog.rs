//! The specs shipped with the program: found by id or alias, parsed once, on first use.

use super::{ModelSpec, SpecFile, names};
use crate::error::{ErrorKind, PlanError};
use crate::order;
use crate::plan::{ModelRef, resolve_model};
use kvplan_model_specs::models;
use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

static PARSED: LazyLock<Box<[OnceLock<ModelSpec>]>> =
    LazyLock::new(|| models().entries.iter().map(|_| OnceLock::new()).collect());

/// How many near misses an unknown id is answered with.
const SUGGESTIONS: usize = 5;

/// Gives models, devices and speeds to a build that does not embed them (feature `embedded`), before anything is looked
/// up: the text that `kvplan-model-specs` writes.
///
/// # Errors
/// `invalid` for a text that is none, or of another version.
pub fn give(text: String) -> Result<(), PlanError> {
    kvplan_model_specs::give(text).map_err(|error| PlanError::invalid("catalogue", error.to_string()))
}

/// The catalogued model of that id or alias; case does not matter, nor do a vendor in front, a file's ending, or what a
/// copy says of its weights behind.
///
/// # Errors
/// `unknown-model` with the nearest ids, or `invalid` if the shipped record itself is broken.
pub fn find(name: &str) -> Result<&'static ModelSpec, PlanError> {
    let row = models()
        .row_of(name)
        .or_else(|| names::readings(name).iter().find_map(|name| models().row_of(name)))
        .ok_or_else(|| unknown(name))?;
    let (cell, entry) = PARSED.get(row).zip(models().entries.get(row)).ok_or_else(|| unknown(name))?;
    if let Some(spec) = cell.get() {
        return Ok(spec);
    }
    let spec = shipped(entry.json).map_err(|e| e.within(entry.id))?;
    Ok(cell.get_or_init(|| spec))
}

/// Every catalogued model, by id.
pub fn all() -> impl Iterator<Item = Result<&'static ModelSpec, PlanError>> {
    models().entries.iter().map(|entry| find(entry.id))
}

/// Ids of catalogued models that a search means, at most `most`: those whose id or alias holds every word of `text`, the
/// shortest first, and where none does the nearest. Nothing is parsed.
#[must_use]
pub fn matching(text: &str, most: usize) -> Vec<&'static str> {
    let text = text.to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let holds = |name: &&(&str, usize)| words.iter().all(|word| name.0.contains(word));
    let mut rows: Vec<usize> = models().names.iter().filter(holds).map(|(_, row)| *row).collect();
    order::by_key(&mut rows, |row| *row);
    rows.dedup();
    let mut ids: Vec<&'static str> =
        rows.into_iter().filter_map(|row| models().entries.get(row)).map(|entry| entry.id).collect();
    // Whatever begins with the text is meant before what merely holds it.
    order::by_key(&mut ids, |id| (!id.starts_with(&text), id.len(), *id));
    ids.truncate(most);
    if ids.is_empty() { nearest(&text) } else { ids }
}

/// Reads a record as it is embedded.
fn shipped(json: &str) -> Result<ModelSpec, PlanError> {
    let value = serde_json::from_str(json).map_err(|e| PlanError::invalid("", e.to_string()))?;
    resolve_model(&ModelRef::Spec(value)).map(Cow::into_owned)
}

/// Reads a spec record in TOML.
///
/// # Errors
/// `invalid`, with the line in the message.
pub fn parse(text: &str) -> Result<ModelSpec, PlanError> {
    let record: SpecFile = toml::from_str(text).map_err(|e| PlanError::invalid("", e.to_string()))?;
    ModelSpec::try_from(record)
}

fn unknown(name: &str) -> PlanError {
    let near = nearest(name);
    let hint = if near.is_empty() { String::new() } else { format!("; nearest: {}", near.join(", ")) };
    PlanError::new(ErrorKind::UnknownModel, "model", format!("no model `{name}` is catalogued{hint}"))
        .with_value(name)
}

/// The catalogued ids closest to `name`, best first.
#[must_use]
pub fn nearest(name: &str) -> Vec<&'static str> {
    let name = name.to_ascii_lowercase();
    let mut scored: Vec<(f64, &'static str)> = models()
        .names
        .iter()
        .filter_map(|(known, row)| {
            let score = strsim::jaro_winkler(&name, known.rsplit('/').next().unwrap_or(known));
            models().entries.get(*row).map(|entry| (score, entry.id)).filter(|(score, _)| *score > 0.7)
        })
        .collect();
    order::by(&mut scored, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let mut ids: Vec<&'static str> = Vec::new();
    for (_, id) in scored {
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() == SUGGESTIONS {
            break;
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_spec_parses() {
        for spec in all() {
            spec.unwrap();
        }
    }

    #[test]
    fn a_search_takes_words_in_any_order_and_puts_the_base_model_first() {
        assert_eq!(matching("qwen3.6", 3).first(), Some(&"qwen3.6-27b"));
        assert!(matching("27b gemma", 9).contains(&"gemma-3-27b"));
        assert_eq!(matching("", 5).len(), 5);
        assert!(matching("qwen3-8bb", 9).contains(&"qwen3-8b"), "a slip of the finger finds the nearest");
    }

    #[test]
    fn an_unknown_id_answers_with_the_nearest() {
        let error = find("qwen3-8bb").unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownModel);
        assert!(error.message.contains("qwen3-8b"), "{}", error.message);
    }
}
