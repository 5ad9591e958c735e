//! `kvplan validate`: the planner's numbers held against a real cache on this machine's GPU.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ValidateArgs;
use crate::load;
use crate::quiet;
use crate::show::{self, Align, Table};
use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use kvplan_core::codec::Codec;
use kvplan_core::spec::ModelSpec;
use kvplan_kernels::gpu::{Choice, Gpu, adapters, block_on};
use kvplan_kernels::op::{CODECS, CodecKernels};
use kvplan_kernels::validate::{
    CaseShape, ModelShapes, Progress, Report, Run, Source, block_gtq_cases, capture, cases, of_model, sample,
    standard, totals, validate, validate_on_cpu,
};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Tokens of a capture that are run without `--full`: attention over all of them grows with the square.
const CAPTURE_TOKENS: u32 = 512;

/// The least that every WebGPU adapter binds: what caps shapes where there is no adapter.
const LEAST_BINDING: u64 = 128 << 20;

/// Runs the command.
pub(crate) fn run(args: &ValidateArgs) -> anyhow::Result<Outcome> {
    if args.list_adapters {
        return list();
    }
    let codecs = match codecs(&args.codec) {
        Ok(codecs) => codecs,
        Err(message) => return refuse(&message),
    };
    let gpu = if args.cpu {
        None
    } else {
        let choice = args.adapter.clone().map_or(Choice::Fastest, Choice::Named);
        match quiet::ask(|| block_on(Gpu::open(&choice))) {
            Ok(gpu) => Some(gpu),
            Err(error) => {
                return refuse(&format!(
                    "{error}\n  `kvplan validate --cpu` runs the kernels' twins without a GPU"
                ));
            }
        }
    };
    let Work { shapes, notes, model } =
        match work(args, gpu.as_ref().map_or(LEAST_BINDING, Gpu::largest_binding))? {
            Ok(work) => work,
            Err(message) => return refuse(&message),
        };
    let mut cases = cases(&codecs, &shapes);
    if args.codec.is_empty() || args.codec.contains(&Codec::BlockGtqK3v3) {
        cases.extend(block_gtq_cases(&shapes));
    }
    let bar = progress_bar();
    let cancel = interrupt().context("cannot wait for Ctrl-C")?;
    let mut progress = |at: Progress<'_>| {
        bar.set_length(at.steps as u64);
        bar.set_position(at.done as u64);
        bar.set_message(format!("{}: {}", at.codec, at.stage));
    };
    let mut run = Run { cases: &cases, clock: !args.no_timing, progress: &mut progress, cancel: &cancel };
    let result = match &gpu {
        Some(gpu) => block_on(validate(gpu, &mut run)),
        None => Ok(validate_on_cpu(&mut run)),
    };
    bar.finish_and_clear();
    let mut report = match result {
        Ok(report) => report,
        Err(error) => return refuse(&error.to_string()),
    };
    report.notes.extend(notes);
    report.model = model.map(|(model, context, found)| totals(&model, context, &found, &report));
    finish(args, &report)
}

/// A flag that Ctrl-C raises, so that a run ends with what it has; a second one ends the program at once.
fn interrupt() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::{consts::SIGINT, flag};
    /// What a shell says of a program that an interrupt ended.
    const INTERRUPTED: i32 = 130;
    let raised = Arc::new(AtomicBool::new(false));
    // In this order: the first interrupt finds the flag down.
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&raised))?;
    flag::register(SIGINT, Arc::clone(&raised))?;
    Ok(raised)
}

fn finish(args: &ValidateArgs, report: &Report) -> anyhow::Result<Outcome> {
    if let Some(path) = &args.report {
        let page = show::validate::page(report);
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        print_json(report)?;
    } else {
        print_text(&show::validate::table(report))?;
    }
    Ok(outcome(report))
}

/// 1 when a byte differs, an error bound is passed or the device refuses; nothing run proves nothing, and is refused.
fn outcome(report: &Report) -> Outcome {
    if report.holds() {
        Outcome::Done
    } else if report.summary.failed > 0 || !report.model_holds() {
        Outcome::Failed
    } else {
        Outcome::Refused
    }
}

fn refuse(message: &str) -> anyhow::Result<Outcome> {
    show::complain(message);
    Ok(Outcome::Refused)
}

/// What to run.
struct Work {
    /// Shapes with their activations.
    shapes: Vec<(CaseShape, Source)>,
    /// What a reader has to know of them.
    notes: Vec<String>,
    /// The model they are of, at which context.
    model: Option<(Cow<'static, ModelSpec>, u32, ModelShapes)>,
}

impl Work {
    const fn new(shapes: Vec<(CaseShape, Source)>, notes: Vec<String>) -> Self {
        Self { shapes, notes, model: None }
    }
}

/// What the arguments ask for, or why there is nothing.
fn work(args: &ValidateArgs, largest_binding: u64) -> anyhow::Result<Result<Work, String>> {
    if let Some(path) = &args.capture {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let most = if args.full { u32::MAX } else { CAPTURE_TOKENS };
        return Ok(match capture(&bytes, most) {
            Ok(layers) => {
                let cut = layers.iter().any(|(shape, _)| shape.tokens == most);
                let note = format!("of the capture at most the first {most} tokens are run; --full runs all");
                Ok(Work::new(layers, if cut { vec![note] } else { Vec::new() }))
            }
            Err(error) => Err(format!("{}: {error}", path.display())),
        });
    }
    let Some(name) = &args.model else {
        let sample = sample().context("the bundled sample")?;
        return Ok(Ok(Work::new(standard(sample, args.full), Vec::new())));
    };
    let model = match load::model(name) {
        Ok(model) => model,
        Err(error) => return Ok(Err(error.message.to_string())),
    };
    let context = u32::try_from(args.context.get()).unwrap_or(u32::MAX);
    if context == 0 {
        return Ok(Err("a context of 0 tokens has no cache".to_owned()));
    }
    let found = of_model(&model, context, largest_binding);
    if found.shapes.is_empty() {
        return Ok(Err(format!("{}: nothing to run; {}", model.name(), found.notes.join("; "))));
    }
    let shapes = found.shapes.iter().map(|shape| (shape.clone(), Source::Synthetic)).collect();
    Ok(Ok(Work { shapes, notes: found.notes.clone(), model: Some((model, context, found)) }))
}

/// The kernels of the codecs asked for, all where none are.
fn codecs(asked: &[Codec]) -> Result<Vec<&'static CodecKernels>, String> {
    if asked.is_empty() {
        return Ok(CODECS.iter().collect());
    }
    let of = |codec: &Codec| {
        CodecKernels::of(*codec).ok_or_else(|| {
            let known: Vec<&str> = CODECS.iter().map(|kernels| kernels.codec.name()).collect();
            format!("{codec} has no kernels yet; these have: {}", known.join(", "))
        })
    };
    // Its bytes follow from the data: no row of the table, but cases of its own.
    asked.iter().filter(|codec| **codec != Codec::BlockGtqK3v3).map(of).collect()
}

/// On standard error, and nowhere where that is no terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("  {bar:24} {pos}/{len}  {wide_msg}") {
        bar.set_style(style.progress_chars("█░░"));
    }
    bar
}

fn list() -> anyhow::Result<Outcome> {
    let adapters = quiet::ask(|| block_on(adapters()));
    if adapters.is_empty() {
        return refuse(&kvplan_kernels::gpu::GpuError::NoAdapter.to_string());
    }
    let mut table = Table::new(&[
        ("adapter", Align::Left),
        ("kind", Align::Left),
        ("backend", Align::Left),
        ("driver", Align::Left),
    ]);
    for adapter in adapters {
        table.row([adapter.name, adapter.kind.to_owned(), adapter.backend, adapter.driver]);
    }
    print_text(&table.render())?;
    Ok(Outcome::Done)
}

/// The proof of a model's shapes at `context` tokens, for the planner: the table and its one line as text, or why there is
/// none.
pub(crate) fn prove(
    model: &ModelSpec,
    context: u32,
    progress: &mut dyn FnMut(Progress<'_>),
    cancel: &AtomicBool,
) -> Result<(String, String), String> {
    let gpu = quiet::ask(|| block_on(Gpu::open(&Choice::Fastest))).map_err(|error| error.to_string())?;
    let found = of_model(model, context.max(1), gpu.largest_binding());
    if found.shapes.is_empty() {
        return Err(format!("{}: nothing to run; {}", model.name(), found.notes.join("; ")));
    }
    let shapes: Vec<_> = found.shapes.iter().map(|shape| (shape.clone(), Source::Synthetic)).collect();
    let cases = cases(&codecs(&[])?, &shapes);
    let mut run = Run { cases: &cases, clock: false, progress, cancel };
    let mut report = block_on(validate(&gpu, &mut run)).map_err(|error| error.to_string())?;
    report.notes.extend(found.notes.iter().cloned());
    report.model = Some(totals(model, context.max(1), &found, &report));
    let table = anstream::adapter::strip_str(&show::validate::table(&report)).to_string();
    Ok((table, show::validate::line(&report)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of one case by the twins.
    fn report() -> serde_json::Value {
        let shapes = standard(None, false);
        let kernels = codecs(&[Codec::Q8_0]).unwrap();
        let cancel = AtomicBool::new(false);
        let mut run =
            Run { cases: &cases(&kernels, &shapes), clock: false, progress: &mut |_| (), cancel: &cancel };
        serde_json::to_value(validate_on_cpu(&mut run)).unwrap()
    }

    fn outcome_of(report: serde_json::Value) -> Outcome {
        outcome(&serde_json::from_value(report).unwrap())
    }

    #[test]
    fn what_holds_is_done_what_fails_is_1_and_what_proves_nothing_is_refused() {
        assert_eq!(outcome_of(report()), Outcome::Done);
        let mut failed = report();
        failed["summary"]["failed"] = 1.into();
        assert_eq!(outcome_of(failed), Outcome::Failed);
        let mut nothing = report();
        nothing["summary"]["ran"] = 0.into();
        assert_eq!(outcome_of(nothing), Outcome::Refused);
        let mut stopped = report();
        stopped["summary"]["cancelled"] = true.into();
        assert_eq!(outcome_of(stopped), Outcome::Refused);
    }

    #[test]
    fn a_failed_case_is_told_with_its_place() {
        let mut failed = report();
        let case = &mut failed["cases"][0];
        case["state"] = "failed".into();
        case["v"]["packed"]["differing"] = 1.into();
        case["v"]["packed"]["first"] = serde_json::json!({"at": 1234, "found": "0x40", "expected": "0x00"});
        failed["summary"]["failed"] = 1.into();
        let table = show::validate::table(&serde_json::from_value(failed).unwrap());
        for words in ["NOT PROVED", "1 of", "packed bytes of V", "1234", "0x40 where 0x00"] {
            assert!(table.replace("\n    ", " ").contains(words), "{words}: {table}");
        }
    }
}
