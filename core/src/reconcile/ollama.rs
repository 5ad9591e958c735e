//! What Ollama's own scheduler printed before it started a runner (2024 and 2025): its estimate of the memory a model
//! needs, made from the file's dimensions by rules of its own and not by the engine.

use super::scan::{Rounded, after, whole};
use super::{Given, Line, Reconciliation, model_of, planned, request_of};
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::plan::{Plan, resolve_model};
use crate::spec::ModelSpec;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The estimate, and the runner's arguments after it.
#[derive(Debug)]
struct Estimate {
    layers: Option<u64>,
    kv: (Rounded, &'static str),
    /// Figures that depend on the file or on Ollama's own reserves.
    others: Vec<(&'static str, String)>,
    options: Map<String, Value>,
}

/// Figures that no plan has: they are of the file, or of graphs by a formula of Ollama's own.
const OTHERS: &[&str] = &[
    "memory.available",
    "memory.required.full",
    "memory.required.partial",
    "memory.required.allocations",
    "memory.weights.total",
    "memory.weights.repeating",
    "memory.weights.nonrepeating",
    "memory.graph.full",
    "memory.graph.partial",
    "projector.weights",
    "projector.graph",
];

/// A log of the scheduler alone; `None` where it is none.
pub(super) fn reconcile(lines: &[String], given: &Given<'_>) -> Option<Result<Reconciliation, PlanError>> {
    let estimate = Estimate::last(lines)?;
    Some(estimate.reconciled(given))
}

/// The scheduler's lines beside those of the engine that it started, where the model is one that can be planned again.
pub(super) fn beside(lines: &[String], given: &Given<'_>, mut found: Reconciliation) -> Reconciliation {
    let Some(estimate) = Estimate::last(lines) else { return found };
    let model = match given.model {
        Some(model) => Some(Cow::Borrowed(model)),
        None => resolve_model(&found.request.model).ok(),
    };
    let plan = model.as_ref().and_then(|model| planned(model, &found.request).ok());
    if let (Some(model), Some(plan)) = (model, plan) {
        found.program = Some("Ollama");
        estimate.compare(&model, &plan, &mut found);
    }
    found
}

impl Estimate {
    fn last(lines: &[String]) -> Option<Self> {
        let at = lines.iter().rposition(|line| line.contains("memory.required.kv="))?;
        let (line, later) = lines.get(at..)?.split_first()?;
        let mut options = Map::new();
        if let Some(command) = later.iter().find(|line| line.contains("starting llama server")) {
            for (flag, option) in
                [("--ctx-size", "n_ctx"), ("--parallel", "n_seq_max"), ("--batch-size", "n_ubatch")]
            {
                if let Some(value) = after(command, flag).and_then(whole) {
                    options.insert(option.to_owned(), json!(value));
                }
            }
            if command.contains("--flash-attn") {
                options.insert("flash_attn".to_owned(), json!("on"));
            }
            let ty = after(command, "--kv-cache-type").and_then(|text| text.split([' ', '"']).next());
            for option in ty.iter().flat_map(|_| ["type_k", "type_v"]) {
                options.insert(option.to_owned(), json!(ty));
            }
        }
        Some(Self {
            layers: after(line, "layers.model=").and_then(whole),
            kv: sized(&quoted(line, "memory.required.kv")?)?,
            others: OTHERS.iter().filter_map(|name| Some((*name, quoted(line, name)?))).collect(),
            options,
        })
    }

    fn reconciled(&self, given: &Given<'_>) -> Result<Reconciliation, PlanError> {
        let model = model_of(given, &[])?;
        if !self.options.contains_key("n_ctx") {
            let message =
                "the scheduler's estimate is for a length that only the line `starting llama server` names";
            return Err(PlanError::missing("engine.n_ctx", message));
        }
        let request = request_of(EngineName::LlamaCpp, &model, self.options.clone(), given);
        let plan = planned(&model, &request)?;
        let mut found = Reconciliation {
            engine: EngineName::LlamaCpp,
            program: Some("Ollama"),
            version: None,
            modelled: EngineName::LlamaCpp.modelled_version().unwrap_or_default(),
            model: model.name().to_owned(),
            request,
            lines: Vec::new(),
            notes: Vec::new(),
        };
        self.compare(&model, &plan, &mut found);
        Ok(found)
    }

    fn compare(&self, model: &ModelSpec, plan: &Plan, out: &mut Reconciliation) {
        if let Some(layers) = self.layers {
            // It counts the output with them.
            let planned = u64::try_from(model.layer_count() + model.mtp_count() + 1).unwrap_or(u64::MAX);
            let line = Line::compared(
                "scheduler: layers.model",
                layers.to_string(),
                planned.to_string(),
                layers == planned,
            );
            out.lines.push(line);
        }
        let (size, unit) = self.kv;
        let bytes = plan.kv.allocated_bytes.get();
        let line = Line::compared(
            "scheduler: memory.required.kv",
            size.shown(unit),
            size.like(bytes, unit),
            size.holds(bytes),
        );
        out.lines.push(line.because(self.own_rule(bytes)));
        for (name, printed) in &self.others {
            out.lines.push(Line::not_planned(format!("scheduler: {name}"), printed.clone()));
        }
        out.notes.push(Cow::Borrowed(
            "memory.* are Ollama's estimate before it starts the engine; what the engine takes is in the engine's own lines",
        ));
    }

    /// The rule of the scheduler that makes exactly the printed figure of the engine's bytes.
    fn own_rule(&self, bytes: u64) -> Option<Cow<'static, str>> {
        let ty = self.options.get("type_k").and_then(Value::as_str)?;
        let (numerator, denominator, why) = match ty {
            "q8_0" => {
                (16, 17, "the scheduler counted q8_0 as one byte an element, without its scales (1.0625)")
            }
            "q4_0" => {
                (8, 9, "the scheduler counted q4_0 as half a byte an element, without its scales (0.5625)")
            }
            _ => return None,
        };
        let counted = u128::from(bytes) * numerator / denominator;
        let same = u64::try_from(counted).is_ok_and(|counted| self.kv.0.holds(counted));
        same.then_some(Cow::Borrowed(why))
    }
}

/// `name="19.5 GiB"`, or the list in it.
pub(super) fn quoted(line: &str, name: &str) -> Option<String> {
    let text = after(line, &format!(" {name}=\""))?;
    text.split('"').next().map(str::to_owned)
}

/// A size with its unit.
pub(super) fn sized(text: &str) -> Option<(Rounded, &'static str)> {
    [("GiB", 30), ("MiB", 20), ("KiB", 10)]
        .into_iter()
        .find(|(unit, _)| text.ends_with(unit))
        .and_then(|(unit, shift)| Some((Rounded::read(text, 1u64 << shift)?, unit)))
}
