//! What Ollama prints of a runner's memory since 2025 (`msg="kv cache" device=… size=…`): by device, to one decimal, for its
//! own engine and for llama.cpp inside it.

use super::ollama::{quoted, sized};
use super::scan::{Rounded, after, whole};
use super::{Given, Line, Reconciliation, model_of, planned, request_of};
use crate::cache::Role;
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::plan::{Plan, resolve_model};
use crate::unit::Bytes;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// States that its own engine keeps of each layer beside the live one, to go back to.
const CHECKPOINTS: u64 = 24;

/// One load of a model.
#[derive(Debug)]
struct Memory {
    /// The cache, by device.
    kv: Vec<(String, Rounded, &'static str)>,
    /// Figures of the file and of Ollama's own graphs.
    others: Vec<(String, String)>,
    options: Map<String, Value>,
    names: Vec<String>,
}

/// A log of the runner alone; `None` where it is none.
pub(super) fn reconcile(lines: &[String], given: &Given<'_>) -> Option<Result<Reconciliation, PlanError>> {
    let memory = Memory::last(lines)?;
    Some(memory.reconciled(given))
}

/// The runner's lines beside those of llama.cpp in it, where its model can be planned again.
pub(super) fn beside(lines: &[String], given: &Given<'_>, mut found: Reconciliation) -> Reconciliation {
    let Some(memory) = Memory::last(lines) else { return found };
    let model = match given.model {
        Some(model) => Some(Cow::Borrowed(model)),
        None => resolve_model(&found.request.model).ok(),
    };
    if let Some(plan) = model.and_then(|model| planned(&model, &found.request).ok()) {
        found.program = Some("Ollama");
        memory.compare(&plan, &mut found);
    }
    found
}

impl Memory {
    fn last(lines: &[String]) -> Option<Self> {
        let end = lines.iter().rposition(|line| line.contains("msg=\"kv cache\""))?;
        let before = lines.get(..end)?;
        // A load that is tried again prints everything again.
        let start = before.iter().rposition(|line| line.contains("msg=\"total memory\"")).unwrap_or(0);
        let (mut kv, mut others): (Vec<(String, Rounded, &'static str)>, Vec<_>) = (Vec::new(), Vec::new());
        let rest = lines.get(start..)?.iter().skip(usize::from(start > 0));
        for line in rest.filter(|line| line.contains("source=")) {
            let Some((name, size)) = quoted(line, "msg").zip(quoted(line, "size")) else { continue };
            let device = ["device=", "buffer_type=", "buffer="].iter().find_map(|mark| after(line, mark));
            let device =
                device.and_then(|text| text.split_whitespace().next()).unwrap_or_default().to_owned();
            match name.as_str() {
                "kv cache" => {
                    let (size, unit) = sized(&size)?;
                    kv.retain(|(known, _, _)| *known != device);
                    kv.push((device, size, unit));
                }
                "model weights" | "compute graph" => others.push((format!("{name}: {device}"), size)),
                "total memory" => {
                    others.push((name, size));
                    break;
                }
                _ => {}
            }
        }
        let named = lines.iter().filter(|line| line.contains("general.name"));
        let names = named.filter_map(|line| line.rsplit_once('=').map(|(_, name)| name.trim().to_owned()));
        Some(Self { kv, others, options: options(lines), names: names.collect() })
            .filter(|m| !m.kv.is_empty())
    }

    fn reconciled(&self, given: &Given<'_>) -> Result<Reconciliation, PlanError> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let model = model_of(given, &names)?;
        if !self.options.contains_key("n_ctx") && !given.options.is_some_and(|o| o.contains_key("n_ctx")) {
            let message = "the cache is of a length that only the line `load request=` names (KvSize)";
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
        self.compare(&plan, &mut found);
        Ok(found)
    }

    fn compare(&self, plan: &Plan, out: &mut Reconciliation) {
        let printed: Vec<String> = self.kv.iter().map(|(_, size, unit)| size.shown(unit)).collect();
        let bytes = plan.kv.allocated_bytes.get();
        let shown = self.kv.first().map_or_else(String::new, |(_, size, unit)| size.like(bytes, unit));
        let line = Line::compared("runner: kv cache", printed.join(" + "), shown, self.holds(bytes));
        let states: u64 = [Role::ConvState, Role::RecurrentState]
            .iter()
            .filter_map(|role| plan.kv.by_role.get(*role))
            .map(Bytes::get)
            .sum();
        let kept = states.checked_mul(CHECKPOINTS).and_then(|more| bytes.checked_add(more));
        let why = kept.filter(|kept| states > 0 && self.holds(*kept)).map(|_| {
            format!(
                "Ollama's own engine keeps {CHECKPOINTS} earlier states of each recurrent layer to go back to"
            )
            .into()
        });
        out.lines.push(line.because(why));
        for (name, printed) in &self.others {
            out.lines.push(Line::not_planned(format!("runner: {name}"), printed.clone()));
        }
    }

    /// Whether so many bytes print so: each device's part is rounded.
    fn holds(&self, bytes: u64) -> bool {
        let ends = self.kv.iter().map(|(_, size, _)| size.range(true));
        let (low, high) =
            ends.fold((0u64, 0u64), |sum, end| (sum.0.saturating_add(end.0), sum.1.saturating_add(end.1)));
        (low..=high).contains(&bytes)
    }
}

/// What the last `load request="{… Parallel:1 BatchSize:512 KvSize:32768 KvCacheType:q8_0 …}"` asks for.
fn options(lines: &[String]) -> Map<String, Value> {
    let mut options = Map::new();
    let Some(line) = lines.iter().rev().find(|line| line.contains("KvSize:")) else { return options };
    for (mark, option) in [("KvSize:", "n_ctx"), ("Parallel:", "n_seq_max"), ("BatchSize:", "n_ubatch")] {
        if let Some(value) = after(line, mark).and_then(whole) {
            options.insert(option.to_owned(), json!(value));
        }
    }
    let word = |mark: &str| line.split(mark).nth(1).and_then(|text| text.split([' ', '}']).next());
    match word("FlashAttention:") {
        Some("Enabled" | "true") => options.insert("flash_attn".to_owned(), json!("on")),
        Some("Disabled" | "false") => options.insert("flash_attn".to_owned(), json!("off")),
        Some(_) | None => None,
    };
    if let Some(ty) = word("KvCacheType:").filter(|ty| !ty.is_empty()) {
        options.insert("type_k".to_owned(), json!(ty));
        options.insert("type_v".to_owned(), json!(ty));
    }
    options
}
