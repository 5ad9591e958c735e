//! `kvplan compare`: one model, engines across, cache types down; on several devices, how long a context each holds.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::CompareArgs;
use crate::show::{self, Align, Table, grouped, size, wrapped};
use kvplan_core::engine::EngineName;
use kvplan_core::error::{ErrorKind, PlanError};
use kvplan_core::fit::{Unknown, largest};
use kvplan_core::placement::{BoundBy, State};
use kvplan_core::plan::{CacheRequest, EngineRequest, HardwareEntry, Plan, Request, plan_model};
use kvplan_core::spec::ModelSpec;
use serde::Serialize;
use serde_json::Map;
use std::fmt::Write as _;

/// What is compared when no types are named: the widths people choose between, in each engine's formats.
const TYPES: [&str; 10] = [
    "f16",
    "fp8_e4m3",
    "q8_0",
    "q5_1",
    "q4_0",
    "nvfp4",
    "int8_per_token_head",
    "int4_per_token_head",
    "turboquant_4bit_nc",
    "q8_0/q4_0",
];

/// One cell.
#[derive(Debug, Serialize)]
struct Cell {
    engine: EngineName,
    cache: CacheRequest,
    /// The machine, where devices are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    hardware: Option<Vec<HardwareEntry>>,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Plan(Box<Plan>),
    Error(PlanError),
}

/// A machine that is compared: its devices, and what it is called.
struct Machine {
    name: String,
    request: Request,
}

/// Runs the command.
pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<Outcome> {
    let model = match args.asked.load() {
        Ok(model) => model,
        Err(error) => {
            show::refuse(&error);
            return Ok(Outcome::Refused);
        }
    };
    let base = args.asked.on_nothing();
    let machines = machines(args, &base);
    if let Err(error) = check(&model, &base, &machines) {
        show::refuse(&error);
        return Ok(Outcome::Refused);
    }
    let types: Vec<&str> =
        if args.types.is_empty() { TYPES.to_vec() } else { args.types.iter().map(String::as_str).collect() };
    let alone = Machine { name: String::new(), request: base };
    let compared: Vec<&Machine> = if machines.is_empty() { vec![&alone] } else { machines.iter().collect() };
    let blocks: Vec<Vec<(&str, Vec<Cell>)>> = compared
        .iter()
        .map(|machine| {
            let row = |name| args.engines.iter().map(|engine| cell(&model, machine, *engine, name)).collect();
            types.iter().map(|name| (*name, row(name))).collect()
        })
        .collect();
    if args.json {
        let cells: Vec<&Cell> = blocks.iter().flatten().flat_map(|(_, cells)| cells).collect();
        print_json(&cells)?;
    } else {
        print_text(&render(&model, args, &compared, &blocks))?;
    }
    Ok(Outcome::Done)
}

/// Every `--device` is a machine of its own, with the same host memory and weights.
fn machines(args: &CompareArgs, base: &Request) -> Vec<Machine> {
    let one = |device: &HardwareEntry| {
        let mut machine = args.asked.machine.clone();
        machine.devices = vec![device.clone()];
        let many = if device.count > 1 { format!("{} × ", device.count) } else { String::new() };
        Machine { name: format!("{many}{}", device.device), request: machine.add_to(base.clone()) }
    };
    args.asked.machine.devices.iter().map(one).collect()
}

/// What is wrong with the question itself is said once, not in every cell.
fn check(model: &ModelSpec, base: &Request, machines: &[Machine]) -> Result<(), PlanError> {
    if machines.is_empty() {
        return plan_model(model, base).map(drop);
    }
    for machine in machines {
        match longest(model, &machine.request) {
            // Of one engine's own matters its cells tell.
            Err(error) if error.kind != ErrorKind::EngineRefuses && error.kind != ErrorKind::Unsupported => {
                return Err(error);
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

/// The plan of what is asked; where no context is, of the longest that fits (or of one token, where none does).
fn longest(model: &ModelSpec, request: &Request) -> Result<Plan, PlanError> {
    if request.context.is_some() {
        return plan_model(model, request);
    }
    let answer = largest(request, model, Unknown::Context)?;
    match answer.found() {
        Some(found) => plan_model(model, &found.request),
        None => plan_model(model, &Request { context: Some(1), ..request.clone() }),
    }
}

fn cell(model: &ModelSpec, machine: &Machine, engine: EngineName, types: &str) -> Cell {
    let (k, v) = types.split_once('/').unwrap_or((types, types));
    let base = &machine.request;
    let cache = CacheRequest { kv: None, k: Some(k.to_owned()), v: Some(v.to_owned()), ..base.cache.clone() };
    let request = Request {
        engine: Some(EngineRequest { name: engine, version: None, options: Map::new() }),
        cache: cache.clone(),
        ..base.clone()
    };
    let on_devices = !machine.name.is_empty();
    let answer = if on_devices { longest(model, &request) } else { plan_model(model, &request) };
    let hardware = on_devices.then(|| base.hardware.clone());
    let answer = match answer {
        Ok(plan) => Answer::Plan(Box::new(plan)),
        Err(error) => Answer::Error(error),
    };
    Cell { engine, cache, hardware, answer }
}

/// Notes under a table, each once.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn mark(&mut self, note: String) -> usize {
        let known = self.0.iter().position(|n| *n == note);
        known.unwrap_or_else(|| {
            self.0.push(note);
            self.0.len() - 1
        }) + 1
    }
}

fn render(
    model: &ModelSpec,
    args: &CompareArgs,
    machines: &[&Machine],
    blocks: &[Vec<(&str, Vec<Cell>)>],
) -> String {
    let mut notes = Notes::default();
    let mut out = String::new();
    let context =
        args.asked.scenario.context.map_or_else(String::new, |c| format!(", {} tokens", grouped(c.get())));
    let on_devices = machines.iter().any(|machine| !machine.name.is_empty());
    let what = if on_devices { "longest context" } else { "bytes reserved" };
    let _ = writeln!(out, "{}{context}: {what}", model.name());
    match (args.engines.as_slice(), on_devices) {
        // One engine: the devices stand side by side.
        ([engine], true) => {
            let _ = writeln!(out, "on {engine}\n");
            let heads: Vec<&str> = machines.iter().map(|machine| machine.name.as_str()).collect();
            let rows = blocks.first().into_iter().flatten().enumerate().map(|(i, (name, _))| {
                let cells = blocks.iter().filter_map(|block| block.get(i)?.1.first());
                (*name, cells.collect::<Vec<_>>())
            });
            out.push_str(&table(&heads, rows, &mut notes));
        }
        (engines, _) => {
            let heads: Vec<&str> = engines.iter().map(|engine| engine.as_str()).collect();
            for (machine, block) in machines.iter().zip(blocks) {
                out.push('\n');
                if on_devices {
                    let _ = writeln!(out, "{}", machine.name);
                }
                let rows = block.iter().map(|(name, cells)| (*name, cells.iter().collect::<Vec<_>>()));
                out.push_str(&table(&heads, rows, &mut notes));
            }
        }
    }
    out.push_str("\n  –  the engine has no such cache type\n");
    if on_devices {
        out.push_str("  =  the model\u{2019}s own limit   !  fits barely   ✗  does not fit as asked\n");
    }
    for (i, note) in notes.0.iter().enumerate() {
        let _ = writeln!(out, "  [{}] {}", i + 1, wrapped(note, 6));
    }
    out
}

fn table<'a>(
    heads: &[&str],
    rows: impl Iterator<Item = (&'a str, Vec<&'a Cell>)>,
    notes: &mut Notes,
) -> String {
    let mut columns = vec![("cache", Align::Left)];
    columns.extend(heads.iter().map(|head| (*head, Align::Right)));
    let mut table = Table::new(&columns);
    for (name, cells) in rows {
        let mut row = vec![name.to_owned()];
        row.extend(cells.into_iter().map(|cell| shown(cell, notes)));
        table.row(row);
    }
    table.render()
}

fn shown(cell: &Cell, notes: &mut Notes) -> String {
    match &cell.answer {
        Answer::Plan(plan) if cell.hardware.is_some() => reach(plan),
        Answer::Plan(plan) => size(plan.kv.allocated_bytes),
        // An engine that has no such type is the rule, not an event: a dash says it.
        Answer::Error(error) if error.kind == ErrorKind::Invalid && error.field.starts_with("cache.") => {
            "–".to_owned()
        }
        Answer::Error(error) => {
            format!("– [{}]", notes.mark(format!("{}: {}", cell.engine, error.message)))
        }
    }
}

/// How long a context goes, and what is to be known of it.
fn reach(plan: &Plan) -> String {
    let number = plan.fit.max_context.map_or_else(|| "unbounded".to_owned(), grouped);
    let mark = match (plan.fit.state, plan.fit.bound_by) {
        (State::Over, _) => " ✗",
        (State::Barely, _) => " !",
        (State::Fits | State::Unknown, Some(BoundBy::Model)) => " =",
        (State::Fits | State::Unknown, Some(BoundBy::Memory | BoundBy::Engine) | None) => "",
    };
    format!("{number}{mark}")
}
