//! The specs shipped with the program: found by id or alias, parsed once, on first use.

use super::{ModelSpec, SpecFile};
use crate::error::{ErrorKind, PlanError};
use kvplan_model_specs::{MODELS, NAMES, row_of};
use std::sync::{LazyLock, OnceLock};

static PARSED: LazyLock<Box<[OnceLock<ModelSpec>]>> =
    LazyLock::new(|| MODELS.iter().map(|_| OnceLock::new()).collect());

/// How many near misses an unknown id is answered with.
const SUGGESTIONS: usize = 5;

/// The catalogued model of that id or alias; case does not matter.
///
/// # Errors
/// `unknown-model` with the nearest ids, or `invalid` if the shipped record itself is broken.
pub fn find(name: &str) -> Result<&'static ModelSpec, PlanError> {
    let row = row_of(name).or_else(|| row_of(&name.to_lowercase())).ok_or_else(|| unknown(name))?;
    let (cell, entry) = PARSED.get(row).zip(MODELS.get(row)).ok_or_else(|| unknown(name))?;
    if let Some(spec) = cell.get() {
        return Ok(spec);
    }
    let spec = parse(entry.text).map_err(|e| e.within(entry.id))?;
    Ok(cell.get_or_init(|| spec))
}

/// Every catalogued model, by id.
pub fn all() -> impl Iterator<Item = Result<&'static ModelSpec, PlanError>> {
    MODELS.iter().map(|entry| find(entry.id))
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
    let name = name.to_lowercase();
    let mut scored: Vec<(f64, &'static str)> = NAMES
        .iter()
        .filter_map(|(known, row)| {
            let score = strsim::jaro_winkler(&name, known.rsplit('/').next().unwrap_or(known));
            MODELS.get(*row).map(|entry| (score, entry.id)).filter(|(score, _)| *score > 0.7)
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
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
    fn an_unknown_id_answers_with_the_nearest() {
        let error = find("qwen3-8bb").unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnknownModel);
        assert!(error.message.contains("qwen3-8b"), "{}", error.message);
    }
}
