//! `kvplan compare`: one model, engines across, cache types down.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::CompareArgs;
use crate::load;
use crate::show::{self, Align, Table, size, wrapped};
use kvplan_core::engine::EngineName;
use kvplan_core::error::{ErrorKind, PlanError};
use kvplan_core::plan::{CacheRequest, EngineRequest, ModelRef, Plan, Request, plan_model};
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
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Plan(Box<Plan>),
    Error(PlanError),
}

/// Runs the command.
pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<Outcome> {
    let model = match load::model(&args.model) {
        Ok(model) => model,
        Err(error) => {
            show::refuse(&error);
            return Ok(Outcome::Refused);
        }
    };
    let base = args.scenario.request(ModelRef::Id(args.model.clone()));
    if let Err(error) = plan_model(&model, &base) {
        show::refuse(&error);
        return Ok(Outcome::Refused);
    }
    let types: Vec<&str> =
        if args.types.is_empty() { TYPES.to_vec() } else { args.types.iter().map(String::as_str).collect() };
    let rows: Vec<(&str, Vec<Cell>)> = types
        .into_iter()
        .map(|name| (name, args.engines.iter().map(|engine| cell(&model, &base, *engine, name)).collect()))
        .collect();
    if args.json {
        let cells: Vec<&Cell> = rows.iter().flat_map(|(_, cells)| cells).collect();
        print_json(&cells)?;
    } else {
        print_text(&render(&model, args, &rows))?;
    }
    Ok(Outcome::Done)
}

fn cell(model: &ModelSpec, base: &Request, engine: EngineName, types: &str) -> Cell {
    let (k, v) = types.split_once('/').unwrap_or((types, types));
    let cache = CacheRequest { kv: None, k: Some(k.to_owned()), v: Some(v.to_owned()), ..base.cache.clone() };
    let request = Request {
        engine: Some(EngineRequest { name: engine, version: None, options: Map::new() }),
        cache: cache.clone(),
        ..base.clone()
    };
    let answer = match plan_model(model, &request) {
        Ok(plan) => Answer::Plan(Box::new(plan)),
        Err(error) => Answer::Error(error),
    };
    Cell { engine, cache, answer }
}

fn render(model: &ModelSpec, args: &CompareArgs, rows: &[(&str, Vec<Cell>)]) -> String {
    let mut columns = vec![("cache", Align::Left)];
    columns.extend(args.engines.iter().map(|e| (e.as_str(), Align::Right)));
    let mut table = Table::new(&columns);
    let mut notes: Vec<String> = Vec::new();
    for (name, cells) in rows {
        let mut row = vec![(*name).to_owned()];
        for cell in cells {
            row.push(match &cell.answer {
                Answer::Plan(plan) => size(plan.kv.allocated_bytes),
                // An engine that has no such type is the rule, not an event: a dash says it.
                Answer::Error(error)
                    if error.kind == ErrorKind::Invalid && error.field.starts_with("cache.") =>
                {
                    "–".to_owned()
                }
                Answer::Error(error) => {
                    let note = format!("{}: {}", cell.engine, error.message);
                    let mark = notes.iter().position(|n| *n == note).unwrap_or_else(|| {
                        notes.push(note);
                        notes.len() - 1
                    });
                    format!("– [{}]", mark + 1)
                }
            });
        }
        table.row(row);
    }
    let mut out = String::new();
    let context =
        args.scenario.context.map_or_else(String::new, |c| format!(", {} tokens", show::grouped(c.get())));
    let _ = writeln!(out, "{}{context}: bytes reserved\n", model.name());
    out.push_str(&table.render());
    out.push_str("\n  –  the engine has no such cache type\n");
    for (i, note) in notes.iter().enumerate() {
        let _ = writeln!(out, "  [{}] {}", i + 1, wrapped(note, 6));
    }
    out
}
