//! Reading an engine's start-up log: its own figures set beside what a plan of the same set-up says.
//!
//! `scan` finds figures in lines; `llama_cpp`, `vllm` and `sglang` each know what their engine prints, rebuild the
//! request it was started with, and compare. `started` reads the command line that stands above a log, where one does, and `ollama` what its scheduler
//! estimates before it starts an engine, `ollama_runner` what it prints of the engine once loaded. A figure that differs is explained where the reason is known (another
//! version's formula, a figure of something else); what differs without one is a difference, and says so.

mod llama_cpp;
mod ollama;
mod ollama_runner;
mod scan;
mod sglang;
mod started;
mod vllm;

use crate::engine::EngineName;
use crate::error::PlanError;
use crate::launch::named_model;
use crate::plan::{EngineRequest, ModelRef, Plan, Request, plan_model, resolve_model};
use crate::spec::ModelSpec;
use serde::Serialize;
use serde_json::{Map, Value};
use started::Started;
use std::borrow::Cow;

/// What is known beside the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Given<'a> {
    /// The model, where the log does not say or is not to be trusted.
    pub model: Option<&'a ModelSpec>,
    /// Options of the engine, which win over what the log says.
    pub options: Option<&'a Map<String, Value>>,
    /// Prediction layers kept in the cache.
    pub mtp: u64,
}

/// A log set beside a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reconciliation {
    /// The engine that printed it.
    pub engine: EngineName,
    /// What it runs inside, where that is another program (Ollama, LM Studio).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<&'static str>,
    /// Its version, where the log says.
    pub version: Option<String>,
    /// The version whose rules the plan used.
    pub modelled: &'static str,
    /// The model's name.
    pub model: String,
    /// What the log says it was started with.
    pub request: Request,
    /// Figure by figure.
    pub lines: Vec<Line>,
    /// What the figures mean, and what the engine did by itself.
    pub notes: Vec<Cow<'static, str>>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it is.
    pub figure: String,
    /// As the engine printed it.
    pub printed: String,
    /// As the plan has it; absent where no plan says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<String>,
    /// How they compare.
    pub verdict: Verdict,
    /// Why they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<Cow<'static, str>>,
}

/// How a printed figure compares with the plan's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Verdict {
    /// Equal, to the last digit printed.
    Equal,
    /// Different, for a reason that is known and says all of it.
    Explained,
    /// Different.
    Differs,
    /// A figure that no plan has.
    NotPlanned,
}

impl Reconciliation {
    /// Whether every figure is equal, or differs for a known reason.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.lines.iter().all(|line| line.verdict != Verdict::Differs)
    }
}

/// Sets the figures of a start-up log beside a plan of the set-up that the log tells.
///
/// # Errors
/// `invalid` for text that is no start-up log of a known engine, `missing-field` where it does not tell the model, and
/// whatever the plan of its set-up cannot answer.
pub fn reconcile(text: &str, given: &Given<'_>) -> Result<Reconciliation, PlanError> {
    let lines: Vec<String> = scan::lines(text).collect();
    let started = Started::find(&lines);
    let of = |engine: EngineName| started.as_ref().filter(|started| started.engine == engine);
    if let Some(found) = llama_cpp::reconcile(&lines, of(EngineName::LlamaCpp), given) {
        return found
            .map(|found| ollama::beside(&lines, given, found))
            .map(|found| ollama_runner::beside(&lines, given, found));
    }
    if let Some(found) = vllm::reconcile(&lines, of(EngineName::Vllm), given) {
        return found;
    }
    if let Some(found) = ollama_runner::reconcile(&lines, given) {
        return found;
    }
    if let Some(found) = ollama::reconcile(&lines, given) {
        return found;
    }
    sglang::reconcile(&lines, of(EngineName::Sglang), given).unwrap_or_else(|| {
        let message = "no start-up log of llama.cpp (Ollama, LM Studio), vLLM or SGLang: none of their figures is in it";
        Err(PlanError::invalid("", message))
    })
}

/// [`reconcile`], for who has the model `set`: a log that names no catalogued model is set beside a plan of that one, and
/// a note says so. `None` for text that is no log.
#[must_use]
pub fn reconcile_beside(text: &str, set: &ModelRef) -> Option<Result<Reconciliation, PlanError>> {
    let error = match reconcile(text, &Given::default()) {
        Ok(found) => return Some(Ok(found)),
        Err(error) if error.field == "model" => error,
        Err(_) => return None,
    };
    let beside = || {
        let model = resolve_model(set)?;
        let mut found = reconcile(text, &Given { model: Some(&model), ..Given::default() })?;
        let whose = match error.value.as_str() {
            Some(name) => format!("its model, {name}, is not catalogued"),
            None => "it does not name its model".to_owned(),
        };
        found
            .notes
            .insert(0, format!("{whose}: beside it stands the one that is set, {}", found.model).into());
        found.request.model = set.clone();
        Ok(found)
    };
    Some(beside())
}

/// The model: as given, else the first of the names that is catalogued.
fn model_of(given: &Given<'_>, names: &[&str]) -> Result<Cow<'static, ModelSpec>, PlanError> {
    if let Some(model) = given.model {
        return Ok(Cow::Owned(model.clone()));
    }
    for name in names {
        if let Ok(found) = resolve_model(&named_model(name)) {
            return Ok(found);
        }
    }
    let message = match names.first() {
        Some(name) => {
            format!("the log's model, `{name}`, is not catalogued: name it or give its file (--model)")
        }
        None => "the log does not name its model: name it or give its file (--model)".to_owned(),
    };
    Err(PlanError::missing("model", message).with_value(names.first().copied()))
}

/// A request for `name` with these options, those given on top.
fn request_of(
    name: EngineName,
    model: &ModelSpec,
    mut options: Map<String, Value>,
    given: &Given<'_>,
) -> Request {
    options.extend(given.options.cloned().unwrap_or_default());
    let shown = if model.id().is_empty() { model.name() } else { model.id() };
    Request {
        engine: Some(EngineRequest { name, version: None, options }),
        mtp: given.mtp,
        ..Request::of(ModelRef::Id(shown.to_owned()))
    }
}

fn planned(model: &ModelSpec, request: &Request) -> Result<Plan, PlanError> {
    plan_model(model, request)
}

impl Line {
    fn not_planned(figure: impl Into<String>, printed: String) -> Self {
        Self { figure: figure.into(), printed, planned: None, verdict: Verdict::NotPlanned, says: None }
    }

    /// Equal or not.
    fn compared(figure: impl Into<String>, printed: String, planned: String, equal: bool) -> Self {
        let verdict = if equal { Verdict::Equal } else { Verdict::Differs };
        Self { figure: figure.into(), printed, planned: Some(planned), verdict, says: None }
    }

    /// The same line, its difference explained.
    fn because(mut self, why: Option<Cow<'static, str>>) -> Self {
        if let (Verdict::Differs, Some(why)) = (self.verdict, why) {
            self.verdict = Verdict::Explained;
            self.says = Some(why);
        }
        self
    }
}
