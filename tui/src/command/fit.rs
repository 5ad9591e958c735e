//! `kvplan fit`: the inverse. The largest number, or the best choice, that a machine holds.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::FitArgs;
use crate::show;
use kvplan_core::engine::EngineName;
use kvplan_core::error::PlanError;
use kvplan_core::fit::{self, Choice, Largest, Unknown, choices, largest};
use kvplan_core::launch::{Target, export};
use kvplan_core::plan::{EngineRequest, Placement, Request, error_line};
use kvplan_core::spec::ModelSpec;
use schemars::JsonSchema;
use serde::Serialize;

/// What `kvplan fit --json` prints.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Report {
    /// Catalogue id; empty where the model is not catalogued.
    pub(crate) model: String,
    /// Which engine.
    pub(crate) engine: EngineName,
    /// Its version; absent for the ideal engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) engine_version: Option<&'static str>,
    /// The answer.
    #[serde(flatten)]
    pub(crate) answer: Largest,
    /// What each cache type and split comes to; where a context or a number of sequences is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) table: Vec<Choice>,
}

/// Runs the command.
pub(crate) fn run(args: &FitArgs) -> anyhow::Result<Outcome> {
    let model = match args.asked.load() {
        Ok(model) => model,
        Err(error) => return refused(args, &error),
    };
    let mut request = args.asked.request();
    request.engine = args.engine.map(|name| EngineRequest {
        name,
        version: None,
        options: args.options.iter().cloned().collect(),
    });
    let report = match report(&model, &request, args.largest.unwrap_or_else(|| missing(&request))) {
        Ok(report) => report,
        Err(error) => return refused(args, &error),
    };
    let outcome = match report.answer.outcome {
        fit::Outcome::Nothing(_) => Outcome::Failed,
        fit::Outcome::Found(_) | fit::Outcome::Unbounded => Outcome::Done,
    };
    if args.json {
        print_json(&report)?;
    } else {
        let found = report.answer.found();
        let run = found.map_or_else(String::new, |found| launch_of(&model, &found.request));
        print_text(&format!("{}{run}", show::inverse::report(&model, &request, &report)))?;
    }
    Ok(outcome)
}

/// What is asked for where it is not said: the context if none is given, else the sequences, else the cache type.
const fn missing(request: &Request) -> Unknown {
    match (request.context, request.sequences) {
        (None, _) => Unknown::Context,
        (Some(_), None) => Unknown::Sequences,
        (Some(_), Some(_)) => Unknown::Cache,
    }
}

fn report(model: &ModelSpec, request: &Request, unknown: Unknown) -> Result<Report, PlanError> {
    let answer = largest(&over_all_devices(model, request, unknown), model, unknown)?;
    let table = match unknown {
        Unknown::Context | Unknown::Sequences => choices(request, model, unknown)?,
        Unknown::Cache | Unknown::GpuLayers | Unknown::HostExperts | Unknown::Devices | Unknown::Split => {
            Vec::new()
        }
    };
    let engine = request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name);
    Ok(Report {
        model: model.id().to_owned(),
        engine,
        engine_version: engine.modelled_version(),
        answer,
        table,
    })
}

/// The request over all of its devices, in the split that holds most, where an engine that shares by ranks is not told how.
fn over_all_devices(model: &ModelSpec, request: &Request, unknown: Unknown) -> Request {
    let shares_by_ranks = request.engine.as_ref().is_some_and(|engine| {
        let own =
            ["tensor_parallel_size", "pipeline_parallel_size", "decode_context_parallel_size", "tp_size"];
        matches!(engine.name, EngineName::Vllm | EngineName::Sglang | EngineName::TensorRtLlm)
            && !own.iter().any(|option| engine.options.contains_key(*option))
    });
    let asked = match unknown {
        Unknown::Context => Request { context: None, ..request.clone() },
        Unknown::Sequences => request.clone(),
        Unknown::Cache | Unknown::GpuLayers | Unknown::HostExperts | Unknown::Devices | Unknown::Split => {
            return request.clone();
        }
    };
    let devices: u64 = request.hardware.iter().map(|entry| entry.count).sum();
    if !shares_by_ranks || devices < 2 || request.placement != Placement::default() {
        return request.clone();
    }
    let best = largest(&asked, model, Unknown::Split).ok();
    let placement = best.as_ref().and_then(Largest::found).map(|found| found.request.placement);
    Request { placement: placement.unwrap_or_default(), ..request.clone() }
}

/// The command that realises the answer, where its engine is one that is launched by a command.
fn launch_of(model: &ModelSpec, request: &Request) -> String {
    let engine = request.engine.as_ref().map(|engine| engine.name.as_str());
    let target = engine.and_then(|engine| engine.parse().ok());
    let launch = target.and_then(|target: Target| export(target, model, request, None).ok());
    launch.map_or_else(String::new, |launch| show::plan::run(&launch.lines(76)))
}

fn refused(args: &FitArgs, error: &PlanError) -> anyhow::Result<Outcome> {
    if args.json {
        print_text(&format!("{}\n", error_line(None, error)))?;
    }
    show::refuse(error);
    Ok(Outcome::Refused)
}
