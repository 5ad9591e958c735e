//! What was dropped or pasted: told apart by its content, turned into something the planner can take. Nothing is opened
//! here; a file comes as its first bytes.

use crate::answer::{
    Answer, Answered, Command, Flag, Log, Printed, Taken, foreign_models, foreign_models_of,
};
use crate::written;
use kvplan_core::error::PlanError;
use kvplan_core::launch::{self, Reading};
use kvplan_core::plan::{ModelRef, Request};
use kvplan_core::planner::link;
use kvplan_core::reconcile::{Reconciliation, Verdict, reconcile_beside};
use kvplan_core::spec::foreign::{self, Understood};
use kvplan_core::spec::gguf::{self, Fault};
use kvplan_core::spec::safetensors::{self, SafetensorsError};
use kvplan_core::spec::source::Prefix;
use kvplan_core::spec::{ModelSpec, SpecFile, catalog, json};
use kvplan_core::unit::{parse_bytes, parse_tokens};
use serde_json::Value;
use std::borrow::Cow;

/// What was taken, with every model in it that the planner's module cannot import.
///
/// # Errors
/// As [`text`] and [`file`].
pub fn answered(taken: Result<Taken, PlanError>) -> Answered {
    let taken = taken?;
    let models = match &taken {
        Taken::Model { model, .. } => foreign::understand(model).into_iter().collect(),
        Taken::Command { request, .. } | Taken::Log { request, .. } | Taken::Request(request) => {
            understood(foreign_models(request))
        }
        Taken::Link(line) => understood(foreign_models_of(&link::read(line)?.state)),
        Taken::Weights(_) | Taken::Tokens(_) | Taken::Bytes(_) => Vec::new(),
    };
    Ok(Answer { taken, models })
}

fn understood<'a>(models: impl Iterator<Item = &'a ModelRef>) -> Vec<Understood> {
    models.filter_map(foreign::understand).collect()
}

/// What pasted text, or a text file, is, for who has the model `set`.
///
/// # Errors
/// `invalid` for text that is none of what is taken, and whatever is wrong with what it is.
pub fn text(text: &str, set: &ModelRef) -> Result<Taken, PlanError> {
    let trimmed = text.trim();
    if trimmed.starts_with('{') {
        return json::parse(trimmed.as_bytes()).map_err(PlanError::from).and_then(of_json);
    }
    if trimmed.contains("[[layers]]") {
        return written::spec(trimmed).map(|model| Taken::Model { model, weights: None });
    }
    if let Some(line) = link_in(trimmed) {
        return link::read(line).map(|_| Taken::Link(line.to_owned()));
    }
    if !trimmed.contains('\n') {
        if let Ok(tokens) = parse_tokens(trimmed) {
            return Ok(Taken::Tokens(tokens.get()));
        }
        if let Ok(bytes) = parse_bytes(trimmed) {
            return Ok(Taken::Bytes(bytes.get()));
        }
        if let Ok(spec) = catalog::find(trimmed) {
            return Ok(Taken::Model { model: ModelRef::Id(spec.id().to_owned()), weights: None });
        }
    }
    if let Some(found) = reconcile_beside(trimmed, set) {
        return found.map(log);
    }
    launch::read(trimmed).map(command).map_err(|error| {
        if STARTS.iter().any(|start| trimmed.contains(start)) {
            return error;
        }
        let message = "not understood: a config.json, a model's id, a llama-server, vllm or sglang command line, an \
                       engine's start-up log, a link of this page, 128k or 24 GB are";
        PlanError::invalid("", message)
    })
}

fn command(reading: Reading) -> Taken {
    let written = |flag: &str, value: Option<&String>| match value {
        Some(value) => format!("{flag} {value}"),
        None => flag.to_owned(),
    };
    let taken = reading
        .taken
        .iter()
        .map(|it| Flag { written: written(&it.flag, it.value.as_ref()), says: it.field.clone() });
    let left = reading
        .ignored
        .iter()
        .map(|it| Flag { written: written(&it.flag, it.value.as_ref()), says: it.says.clone().into_owned() });
    let shown = Command {
        taken: taken.collect(),
        left: left.collect(),
        program: reading.program,
        notes: reading.notes.into_iter().map(Cow::into_owned).collect(),
    };
    Taken::Command { request: Box::new(reading.request), shown }
}

fn log(found: Reconciliation) -> Taken {
    let figures = found.lines.into_iter().map(|line| Printed {
        figure: line.figure,
        printed: line.printed,
        planned: line.planned.unwrap_or_default(),
        verdict: <&str>::from(line.verdict).to_owned(),
        says: line.says.map(Cow::into_owned).unwrap_or_default(),
        differs: line.verdict == Verdict::Differs,
    });
    let shown = Log {
        figures: figures.collect(),
        program: found.program.unwrap_or(found.engine.as_str()).to_owned(),
        model: found.model,
        notes: found.notes.into_iter().map(Cow::into_owned).collect(),
    };
    Taken::Log { request: Box::new(found.request), shown }
}

/// Programs whose command lines are read: text that names one failed as such.
const STARTS: [&str; 4] = ["llama-", "vllm", "sglang", "ollama"];

/// The state in a link: behind its `#`, or the whole.
fn link_in(text: &str) -> Option<&str> {
    let line = text.rsplit_once('#').map_or(text, |(_, tail)| tail);
    (line.starts_with("v=") && !line.contains(char::is_whitespace)).then_some(line)
}

fn of_json(value: Value) -> Result<Taken, PlanError> {
    if value.get("weight_map").is_some() {
        let total = value.pointer("/metadata/total_size").and_then(Value::as_u64);
        return total.map(Taken::Weights).ok_or_else(safetensors::needs_config);
    }
    if value.get("model").is_some() {
        return Request::from_value(&value).map(|request| Taken::Request(Box::new(request)));
    }
    let is_spec =
        value.get("layers").and_then(Value::as_array).is_some_and(|runs| runs.iter().all(Value::is_object));
    let is_metadata = value.get("general.architecture").is_some();
    let model = match (is_spec, is_metadata, value) {
        (true, _, value) => ModelRef::Spec(value),
        (false, true, Value::Object(map)) => ModelRef::Gguf(map),
        (false, _, value) => ModelRef::Hf(value),
    };
    Ok(Taken::Model { model, weights: None })
}

/// What the first bytes of a file came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// More of the file is needed: at least this many bytes from its start.
    More(u64),
    /// It is this.
    Done(Box<Result<Taken, PlanError>>),
}

/// Longest text that is taken as such.
const MAX_TEXT: u64 = 64 << 20;

/// What a file of that name is, as far as its beginning tells, for who has the model `set`.
#[must_use]
pub fn file(name: &str, prefix: Prefix<'_>, set: &ModelRef) -> Step {
    let done = |taken| Step::Done(Box::new(taken));
    if prefix.bytes.starts_with(b"GGUF") {
        return of_gguf(name, prefix);
    }
    if name.to_lowercase().ends_with(".safetensors") {
        return of_safetensors(prefix);
    }
    if prefix.file_len > MAX_TEXT {
        let message = format!("{name}: too large for a config or a log, and neither GGUF nor safetensors");
        return done(Err(PlanError::invalid("", message)));
    }
    let have = u64::try_from(prefix.bytes.len()).unwrap_or(u64::MAX);
    if have < prefix.file_len {
        return Step::More(prefix.file_len);
    }
    let taken = match std::str::from_utf8(prefix.bytes) {
        Ok(words) => text(words, set),
        Err(_) => Err(PlanError::invalid("", "neither GGUF, safetensors nor text")),
    };
    done(taken.map_err(|error| named(name, error)))
}

fn named(file: &str, mut error: PlanError) -> PlanError {
    error.message = format!("{file}: {}", error.message);
    error
}

fn of_gguf(name: &str, mut prefix: Prefix<'_>) -> Step {
    let header = match gguf::read(&mut prefix) {
        Ok(header) => header,
        Err(error) => {
            if let Fault::NotFetched { need, .. } = error.fault {
                return Step::More(need);
            }
            return Step::Done(Box::new(Err(named(name, PlanError::invalid("model", error.to_string())))));
        }
    };
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let weights = Some(header.tensors.bytes().get()).filter(|bytes| *bytes > 0);
    // One that is not understood is taken as it is: then the page says so, with the weights alone.
    let model = gguf::spec_file(&header.metadata).and_then(|record| spec(record, stem));
    let model = model.unwrap_or_else(|_| ModelRef::Gguf(header.metadata.to_json()));
    Step::Done(Box::new(Ok(Taken::Model { model, weights })))
}

/// A record as a model that a link can carry, named after its file where it does not name itself.
fn spec(mut record: SpecFile, stem: &str) -> Result<ModelRef, PlanError> {
    record.name.get_or_insert_with(|| stem.to_owned());
    ModelSpec::try_from(record.clone())?;
    let value =
        serde_json::to_value(&record).map_err(|error| PlanError::invalid("model", error.to_string()))?;
    Ok(ModelRef::Spec(value))
}

fn of_safetensors(mut prefix: Prefix<'_>) -> Step {
    match safetensors::read(&mut prefix) {
        Ok(header) => Step::Done(Box::new(Ok(Taken::Weights(header.tensors.bytes().get())))),
        Err(SafetensorsError::NotFetched { need, .. }) => Step::More(need),
        Err(error) => Step::Done(Box::new(Err(PlanError::invalid("model", error.to_string())))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A published log of gpt-oss-120b, whose name stands in none of its lines.
    #[test]
    fn a_log_that_names_no_model_stands_beside_the_one_that_is_open() {
        let log = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/logs/llama.cpp-gpt-oss-120b.log");
        let open = ModelRef::Id("gpt-oss-120b".to_owned());
        let taken = text(&std::fs::read_to_string(log).unwrap(), &open).unwrap();
        let Taken::Log { request, shown } = taken else { panic!("{taken:?}") };
        assert_eq!(request.model, open);
        assert!(shown.agrees(), "{shown:?}");
        assert!(shown.notes[0].starts_with("it does not name its model: beside it stands"), "{shown:?}");
    }
}
