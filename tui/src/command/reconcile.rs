//! `kvplan reconcile`: an engine's own figures beside the plan's; a command line beside what it was understood as.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ReconcileArgs;
use crate::load;
use crate::show::{self, Align, BAD, BOLD, DIM, NOTE, Table, wrapped};
use kvplan_core::error::PlanError;
use kvplan_core::launch::{Reading, Taken, read};
use kvplan_core::plan::{Plan, Request, plan, plan_model};
use kvplan_core::reconcile::{Given, Reconciliation, Verdict, reconcile};
use kvplan_core::spec::ModelSpec;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

/// A log is kilobytes; a week of requests after it may be more.
const MAX_LOG: u64 = 256 << 20;

/// A command line, and what it comes to.
#[derive(Debug, Serialize)]
struct Understood<'a> {
    #[serde(flatten)]
    reading: &'a Reading,
    plan: &'a Plan,
}

/// Runs the command.
pub(crate) fn run(args: &ReconcileArgs) -> anyhow::Result<Outcome> {
    let text = text_of(args.log.as_deref())?;
    let model = match args.model.as_deref().map(load::model).transpose() {
        Ok(model) => model,
        Err(error) => return Ok(refused(&error)),
    };
    let options: Map<String, Value> = args.options.iter().cloned().collect();
    let given = Given { model: model.as_deref(), options: Some(&options), mtp: args.mtp };
    match reconcile(&text, &given) {
        Ok(found) if args.json => print_json(&found).map(|()| verdict(&found)),
        Ok(found) => print_text(&told(&found)).map(|()| verdict(&found)),
        // It is a log, and what is missing of it is said.
        Err(error) if error.field == "model" => Ok(refused(&error)),
        // What is no log may be the line that starts one.
        Err(error) => match read(&text) {
            Ok(reading) => understood(args, reading, model.as_deref(), options),
            // It starts one, and what is wrong with it is said.
            Err(command) if !command.field.is_empty() => Ok(refused(&command)),
            Err(_) => Ok(refused(&error)),
        },
    }
}

fn text_of(path: Option<&Path>) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    match path.filter(|path| *path != Path::new("-")) {
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))?;
            file.take(MAX_LOG).read_to_end(&mut bytes)?
        }
        None => std::io::stdin().lock().take(MAX_LOG).read_to_end(&mut bytes)?,
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn refused(error: &PlanError) -> Outcome {
    show::refuse(error);
    Outcome::Refused
}

fn verdict(found: &Reconciliation) -> Outcome {
    if found.agrees() { Outcome::Done } else { Outcome::Failed }
}

/// A command line: what was taken, what was left, and the plan of it.
fn understood(
    args: &ReconcileArgs,
    mut reading: Reading,
    model: Option<&ModelSpec>,
    options: Map<String, Value>,
) -> anyhow::Result<Outcome> {
    weigh(&mut reading);
    if let Some(engine) = &mut reading.request.engine {
        engine.options.extend(options);
    }
    let request: &Request = &reading.request;
    let planned = model.map_or_else(|| plan(request), |model| plan_model(model, request));
    let planned = match planned {
        Ok(planned) => planned,
        Err(error) => {
            print_text(&taken_and_left(&reading))?;
            return Ok(refused(&error));
        }
    };
    if args.json {
        print_json(&Understood { reading: &reading, plan: &planned })?;
    } else {
        let mut out = taken_and_left(&reading);
        let _ = writeln!(
            out,
            "\n{BOLD}{}{BOLD:#} on {} {}: {} reserved ({} bytes), {} tokens × {}",
            planned.model.name,
            planned.engine.name,
            planned.engine.version,
            show::size(planned.kv.allocated_bytes),
            show::grouped(planned.kv.allocated_bytes.get()),
            show::grouped(planned.context.get()),
            show::count(planned.sequences, "sequence"),
        );
        print_text(&out)?;
    }
    Ok(Outcome::Done)
}

/// Files beside the model, of which a command line says the name, weigh what they are on this machine's disk.
fn weigh(reading: &mut Reading) {
    for left in std::mem::take(&mut reading.ignored) {
        let (field, adapter) = match left.flag.as_str() {
            "-mm" | "--mmproj" => ("extras.projector_bytes", false),
            "--lora" | "--lora-scaled" => ("extras.lora_bytes", true),
            _ => {
                reading.ignored.push(left);
                continue;
            }
        };
        let names = left.value.as_deref().unwrap_or_default();
        let Some(bytes) = names.split(',').map(size_of).sum::<Option<u64>>() else {
            reading.ignored.push(left);
            continue;
        };
        let extras = reading.request.extras.get_or_insert_default();
        let slot = if adapter { &mut extras.lora_bytes } else { &mut extras.projector_bytes };
        *slot = slot.saturating_add(bytes);
        reading.taken.push(Taken { flag: left.flag, value: left.value, field: field.to_owned() });
    }
}

/// Bytes of `adapter.gguf`, `adapter.gguf:0.5` or `adapter.gguf 0.5`.
fn size_of(name: &str) -> Option<u64> {
    let scaled = name.rsplit_once([':', ' ']).filter(|(_, scale)| scale.parse::<f32>().is_ok());
    let file = std::fs::metadata(scaled.map_or(name, |(file, _)| file)).ok()?;
    file.is_file().then_some(file.len())
}

fn taken_and_left(reading: &Reading) -> String {
    let mut out = format!("{BOLD}{}{BOLD:#}\n\n", reading.program);
    let mut table = Table::new(&[("taken", Align::Left), ("", Align::Left), ("as", Align::Left)]);
    for taken in &reading.taken {
        table.row([taken.flag.clone(), taken.value.clone().unwrap_or_default(), taken.field.clone()]);
    }
    out.push_str(&table.render());
    if !reading.ignored.is_empty() {
        out.push_str("\n  left\n");
        for left in &reading.ignored {
            let value = left.value.as_ref().map(|value| format!(" {value}")).unwrap_or_default();
            let line = format!("{}{value}: {}", left.flag, left.says);
            let _ = writeln!(out, "  {}", wrapped(&line, 4));
        }
    }
    for note in &reading.notes {
        let _ = writeln!(out, "\n  {NOTE}note{NOTE:#} {}", wrapped(note, 7));
    }
    out
}

fn told(found: &Reconciliation) -> String {
    let mut out = String::new();
    let inside = found.program.map(|program| format!(" inside {program}")).unwrap_or_default();
    let version = found.version.as_deref().unwrap_or("of an unknown version");
    let _ = writeln!(out, "{BOLD}{}{BOLD:#}, log of {} {version}{inside}", found.model, found.engine);
    let _ = writeln!(out, "{DIM}planned by the rules of {} {}{DIM:#}\n", found.engine, found.modelled);
    let mut table = Table::new(&[
        ("figure", Align::Left),
        ("printed", Align::Right),
        ("planned", Align::Right),
        ("", Align::Left),
    ]);
    for line in &found.lines {
        let mark = match line.verdict {
            Verdict::Equal => "equal",
            Verdict::Explained => "explained",
            Verdict::Differs => "DIFFERS",
            Verdict::NotPlanned => "",
        };
        let planned = line.planned.clone().unwrap_or_else(|| "–".to_owned());
        table.row([line.figure.clone(), line.printed.clone(), planned, mark.to_owned()]);
    }
    out.push_str(&table.render());
    let mut said: Vec<&str> = Vec::new();
    for line in &found.lines {
        if let Some(says) = line.says.as_deref().filter(|says| !said.contains(says)) {
            said.push(says);
        }
    }
    said.extend(found.notes.iter().map(AsRef::as_ref));
    if !said.is_empty() {
        out.push('\n');
    }
    for note in said {
        let _ = writeln!(out, "  {}", wrapped(note, 4));
    }
    let differs = found.lines.iter().filter(|line| line.verdict == Verdict::Differs).count();
    if differs > 0 {
        let _ = writeln!(out, "\n{BAD}{differs} of the figures differ, and no known reason says why{BAD:#}");
    }
    out
}
