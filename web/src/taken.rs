//! What was dropped or pasted: told apart by its content, turned into something the planner can take. Nothing is opened
//! here; a file comes as its first bytes.

use kvplan_core::error::PlanError;
use kvplan_core::launch::{self, Reading};
use kvplan_core::plan::{ModelRef, Request};
use kvplan_core::planner::link::{self, Opened};
use kvplan_core::reconcile::{Given, Reconciliation, reconcile};
use kvplan_core::spec::gguf::{self, Fault};
use kvplan_core::spec::safetensors::{self, SafetensorsError};
use kvplan_core::spec::source::Prefix;
use kvplan_core::spec::{ModelSpec, SpecFile, catalog, json};
use kvplan_core::unit::{parse_bytes, parse_tokens};
use serde_json::Value;

/// Something that was understood.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// A model, and the bytes of its weights where the file holds them.
    Model {
        /// The model.
        model: ModelRef,
        /// Its tensors' bytes.
        weights: Option<u64>,
    },
    /// Weights without their layers.
    Weights(u64),
    /// A command line.
    Command(Box<Reading>),
    /// A start-up log.
    Log(Box<Reconciliation>),
    /// A shared state.
    Link(Box<Opened>),
    /// A whole request.
    Request(Box<Request>),
    /// A number of tokens.
    Tokens(u64),
    /// A number of bytes.
    Bytes(u64),
}

/// What pasted text, or a text file, is.
///
/// # Errors
/// `invalid` for text that is none of what is taken, and whatever is wrong with what it is.
pub fn text(text: &str) -> Result<Taken, PlanError> {
    let trimmed = text.trim();
    if trimmed.starts_with('{') {
        return json::parse(trimmed.as_bytes()).map_err(PlanError::from).and_then(of_json);
    }
    if let Some(line) = link_in(trimmed) {
        return link::read(line).map(|opened| Taken::Link(Box::new(opened)));
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
    if let Ok(found) = reconcile(trimmed, &Given::default()) {
        return Ok(Taken::Log(Box::new(found)));
    }
    launch::read(trimmed).map(|reading| Taken::Command(Box::new(reading))).map_err(|error| {
        if STARTS.iter().any(|start| trimmed.contains(start)) {
            return error;
        }
        let message = "not understood: a config.json, a model's id, a llama-server, vllm or sglang command line, an \
                       engine's start-up log, a link of this page, 128k or 24 GB are";
        PlanError::invalid("", message)
    })
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

/// What a file of that name is, as far as its beginning tells.
#[must_use]
pub fn file(name: &str, prefix: Prefix<'_>) -> Step {
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
        Ok(words) => text(words),
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
    let model = gguf::spec_file(&header.metadata).and_then(|record| spec(record, stem));
    let weights = Some(header.tensors.bytes().get());
    Step::Done(Box::new(
        model.map(|model| Taken::Model { model, weights }).map_err(|error| named(name, error)),
    ))
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
