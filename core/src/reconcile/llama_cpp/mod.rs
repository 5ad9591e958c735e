//! llama.cpp's start-up log, also inside Ollama and LM Studio: contexts, caches, buffers.

mod log;
mod metadata;

use super::scan::Rounded;
use super::started::Started;
use super::{Given, Line, Reconciliation, planned, request_of};
use crate::cache::{Keeps, Reach};
use crate::engine::llama_cpp::{CacheReport, Report};
use crate::engine::{EngineName, Report as AnyReport};
use crate::error::PlanError;
use crate::plan::{Plan, Request};
use crate::spec::ModelSpec;
use log::{Cache, Context, Log, MIB, Recurrent};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// `None` where this is no log of llama.cpp.
pub(super) fn reconcile(
    lines: &[String],
    started: Option<&Started>,
    given: &Given<'_>,
) -> Option<Result<Reconciliation, PlanError>> {
    let log = Log::read_all(lines);
    // A dry run prints empty buffers before the real one; a draft's context is smaller than its model's.
    let weight = |context: &Context| {
        context.caches.iter().map(|cache| cache.size.range(false).1).sum::<u64>()
            + context.recurrent.as_ref().map_or(0, |it| it.size.range(false).1)
    };
    let best = (0..log.contexts.len()).max_by_key(|at| log.contexts.get(*at).map(weight))?;
    let context =
        log.contexts.get(best).filter(|context| !context.caches.is_empty() || context.recurrent.is_some())?;
    // The contexts say what they were made with; of the command only the model's name is of use.
    let named = started.and_then(|started| started.model.as_deref());
    Some(log.model(context, named, given).and_then(|model| compare(&log, context, &model, given)))
}

fn compare(
    log: &Log,
    context: &Context,
    model: &ModelSpec,
    given: &Given<'_>,
) -> Result<Reconciliation, PlanError> {
    let mut request = request_of(EngineName::LlamaCpp, model, context.made_with(), given);
    request.mtp = 0;
    let mut plan = planned(model, &request)?;
    let mut notes = log.notes.clone();
    if let Some((ubatch, with, found)) = context.micro_batch(model, &request, &plan) {
        (plan, request) = (found, with);
        notes.push(Cow::Owned(format!(
            "n_ubatch is not in the log; the windowed cache has as many cells as {ubatch} makes"
        )));
    }
    // The log does not say whether embeddings are handed out, but the output buffer does.
    if !context.outputs_are(&plan) {
        let mut with = request.clone();
        with.engine.iter_mut().for_each(|engine| {
            engine.options.insert("embeddings".to_owned(), json!(true));
        });
        if let Some(found) = planned(model, &with).ok().filter(|plan| context.outputs_are(plan)) {
            (plan, request) = (found, with);
            notes.push(Cow::Borrowed("embeddings are handed out beside logits: the output buffer says so"));
        }
    }
    let AnyReport::LlamaCpp(report) = &plan.kv.engine_report else {
        return Err(PlanError::unsupported("engine.name", "this plan is not llama.cpp's"));
    };
    let older = Older::of(model);
    let mut out = Vec::new();
    for (figure, printed, planned) in
        [("n_ctx", context.n_ctx, report.n_ctx), ("n_ctx_seq", context.n_ctx_seq, report.n_ctx_seq)]
    {
        if let Some(printed) = printed {
            out.push(Line::compared(figure, printed.to_string(), planned.to_string(), printed == planned));
        }
    }
    // Caches without layers print nothing, or that they have none.
    let expected: Vec<&CacheReport> = report.caches.iter().filter(|cache| cache.layers > 0).collect();
    let printed: Vec<&Cache> = context.caches.iter().filter(|cache| cache.layers != Some(0)).collect();
    for (at, cache) in printed.iter().enumerate() {
        cache.compare(expected.get(at).copied(), &older, report, &mut out);
    }
    if printed.len() < expected.len() && !printed.is_empty() {
        notes.push(Cow::Borrowed("the plan has caches that the log does not print"));
    }
    buffers(context, report, &mut out);
    if let Some(recurrent) = &context.recurrent {
        recurrent.compare(report, &mut out);
    }
    for output in &context.outputs {
        out.push(match report.output_buffer_bytes {
            Some(bytes) => {
                let planned = output.like(bytes, "MiB");
                Line::compared("output buffer", output.shown("MiB"), planned, output.holds(bytes))
            }
            None => Line::not_planned("output buffer", output.shown("MiB")),
        });
    }
    for (what, buffers) in [("compute buffer", &context.compute), ("model buffer", &log.model_buffers)] {
        out.extend(
            buffers
                .iter()
                .map(|(device, size)| Line::not_planned(format!("{what}, {device}"), size.shown("MiB"))),
        );
    }
    if report.kv_unified && report.n_seq_max == 4 {
        notes.push(Cow::Borrowed("4 slots over one pool: what llama-server opens where -np is not given"));
    }
    Ok(Reconciliation {
        engine: EngineName::LlamaCpp,
        program: log.program,
        version: log.build.clone(),
        modelled: EngineName::LlamaCpp.modelled_version().unwrap_or_default(),
        model: model.name().to_owned(),
        request,
        lines: out,
        notes,
    })
}

/// The buffers of all devices together: they hold the same bytes as the caches.
fn buffers(context: &Context, report: &Report, out: &mut Vec<Line>) {
    let sizes: Vec<Rounded> = context.buffers.iter().map(|(_, size)| *size).collect();
    let Some(sum) = Rounded::sum(&sizes).filter(|sum| sum.range(false).1 > 0) else { return };
    let bytes: u64 = report.caches.iter().map(|cache| cache.k_bytes + cache.v_bytes).sum();
    // Each part is rounded on its own.
    let parts = u64::try_from(sizes.len()).unwrap_or(u64::MAX);
    let (low, high) = sum.range(true);
    let slack = parts.saturating_mul(MIB / 200);
    let equal = (low.saturating_sub(slack)..=high.saturating_add(slack)).contains(&bytes);
    let mut devices: Vec<&str> = Vec::new();
    for (device, _) in &context.buffers {
        if !devices.contains(&device.as_str()) {
            devices.push(device);
        }
    }
    let figure = format!("KV buffers, {}", devices.join(" + "));
    let explained = context.caches.iter().zip(&report.caches).any(|(cache, _)| cache.cells.is_some());
    let line = Line::compared(figure, sum.shown("MiB"), sum.like(bytes, "MiB"), equal);
    // The lines of the caches say why, where they differ too.
    let cells_differ = explained && out.iter().any(|line| line.verdict == super::Verdict::Explained);
    out.push(line.because(cells_differ.then_some(Cow::Borrowed("as the caches above"))));
}

impl Context {
    /// The options its lines tell, the context's length among them in whichever form it is said.
    fn made_with(&self) -> Map<String, Value> {
        let mut options = self.options.clone();
        if let (false, Some(per_sequence)) = (options.contains_key("n_ctx"), self.n_ctx_seq) {
            let unified = options.get("kv_unified").and_then(Value::as_bool).unwrap_or_default();
            let sequences = options.get("n_seq_max").and_then(Value::as_u64).filter(|_| !unified);
            let n_ctx = per_sequence.saturating_mul(sequences.unwrap_or(1));
            options.insert("n_ctx".to_owned(), json!(n_ctx));
        }
        options
    }

    /// The `n_ubatch` that gives the windowed cells printed, where the log does not print it.
    fn micro_batch(&self, model: &ModelSpec, request: &Request, plan: &Plan) -> Option<(u64, Request, Plan)> {
        let said = request.engine.as_ref().is_some_and(|engine| engine.options.contains_key("n_ubatch"));
        if said || self.cells_are(plan) {
            return None;
        }
        [4096u64, 2048, 1024, 256, 128, 64].into_iter().find_map(|ubatch| {
            let mut with = request.clone();
            let options = &mut with.engine.as_mut()?.options;
            options.insert("n_ubatch".to_owned(), json!(ubatch));
            let batch = options.entry("n_batch").or_insert_with(|| json!(2048.max(ubatch)));
            batch.as_u64().filter(|batch| *batch >= ubatch)?;
            let found = planned(model, &with).ok().filter(|plan| self.cells_are(plan))?;
            Some((ubatch, with, found))
        })
    }

    /// Whether the plan's caches have the cells printed.
    fn cells_are(&self, plan: &Plan) -> bool {
        let AnyReport::LlamaCpp(report) = &plan.kv.engine_report else { return false };
        let expected = report.caches.iter().filter(|cache| cache.layers > 0);
        let mut pairs = self.caches.iter().zip(expected);
        pairs.all(|(printed, planned)| printed.cells.is_none_or(|cells| cells == planned.cells))
    }

    /// Whether the plan's output buffer is the one printed.
    fn outputs_are(&self, plan: &Plan) -> bool {
        let AnyReport::LlamaCpp(report) = &plan.kv.engine_report else { return false };
        report
            .output_buffer_bytes
            .is_some_and(|bytes| self.outputs.iter().all(|printed| printed.holds(bytes)))
    }
}

/// What older versions' formulas need of the model.
#[derive(Debug, Default)]
struct Older {
    window: Option<u64>,
    /// Elements of a latent row, and of its part that stood in for values.
    latent: Option<(u64, u64)>,
}

impl Older {
    fn of(model: &ModelSpec) -> Self {
        let mut found = Self::default();
        for mixer in model.kinds().iter().flat_map(|kind| kind.mixers()) {
            match mixer.keeps() {
                Keeps::Heads(it) => match it.reach {
                    Reach::Window(tokens) | Reach::Chunk(tokens) => {
                        found.window = found.window.or(Some(tokens));
                    }
                    Reach::All => {}
                },
                Keeps::Latent(it) => found.latent = Some((it.latent_dim + it.rope_dim, it.latent_dim)),
                Keeps::Compressed(_) | Keeps::State | Keeps::Encoder(_) | Keeps::Borrowed(_) => {}
            }
        }
        found
    }

    /// The values that were stored beside latent rows of so many bytes, both of one type.
    fn values(&self, latent_bytes: u64) -> Option<u64> {
        let (row, values) = self.latent.filter(|(row, _)| *row > 0)?;
        Some(latent_bytes / row * values)
    }
}

impl Cache {
    fn compare(&self, planned: Option<&CacheReport>, older: &Older, report: &Report, out: &mut Vec<Line>) {
        let Some(planned) = planned else {
            out.push(Line::not_planned("a cache the plan does not have", self.size.shown("MiB")));
            return;
        };
        let name = planned.name;
        let why = self
            .cells
            .filter(|cells| *cells != planned.cells)
            .and_then(|cells| self.older(cells, planned, older.window, report));
        if let Some(cells) = self.cells {
            let line = Line::compared(
                format!("{name}: cells"),
                cells.to_string(),
                planned.cells.to_string(),
                cells == planned.cells,
            );
            out.push(line.because(why.clone()));
        }
        if let Some(layers) = self.layers {
            out.push(Line::compared(
                format!("{name}: layers"),
                layers.to_string(),
                planned.layers.to_string(),
                layers == planned.layers,
            ));
        }
        // What other cells make of the same rows.
        let scaled = |bytes: u64| match self.cells {
            Some(cells) if planned.cells > 0 => {
                u128::from(bytes) * u128::from(cells) / u128::from(planned.cells)
            }
            _ => u128::from(bytes),
        };
        // Before caches without V, the latent's values were stored a second time.
        let twice = older
            .values(planned.k_bytes)
            .filter(|_| planned.v_bytes == 0 && self.types.iter().all(Option::is_some))
            .filter(|values| self.size.holds(planned.k_bytes.saturating_add(*values)));
        let mut figure = |what: &str, size: Rounded, bytes: u64| {
            let second = twice.is_some_and(|values| {
                size.holds(values) || size.holds(planned.k_bytes.saturating_add(values))
            });
            let second = second.then_some(Cow::Borrowed(
                "versions before January 2026 stored the latent's values a second time, as V",
            ));
            let follows = u64::try_from(scaled(bytes)).is_ok_and(|bytes| size.holds(bytes));
            let line = Line::compared(
                format!("{name}: {what}"),
                size.shown("MiB"),
                size.like(bytes, "MiB"),
                size.holds(bytes),
            );
            out.push(line.because(second.or_else(|| why.clone().filter(|_| follows))));
        };
        figure("size", self.size, planned.k_bytes + planned.v_bytes);
        for ((what, bytes), printed) in
            [("K", planned.k_bytes), ("V", planned.v_bytes)].into_iter().zip(&self.types)
        {
            if let Some((ty, size)) = printed {
                figure(&format!("{what} ({ty})"), *size, bytes);
            }
        }
    }

    /// The formula of an older version that gives these cells.
    fn older(
        &self,
        cells: u64,
        planned: &CacheReport,
        window: Option<u64>,
        report: &Report,
    ) -> Option<Cow<'static, str>> {
        if !self.windowed {
            let short = planned.cells.checked_sub(cells)?;
            return (short < 256 && cells.is_multiple_of(32)).then_some(Cow::Borrowed(
                "older versions padded the context to 32 cells without flash attention, now always to 256",
            ));
        }
        let pad = |n: u64, to: u64| n.div_ceil(to) * to;
        let sequences = report.n_seq_max;
        let window = window?;
        let older = [
            (
                pad(
                    (window * if report.kv_unified { sequences } else { 1 } + report.n_ubatch)
                        .min(report.n_ctx_seq),
                    32,
                ),
                "older versions padded the windowed cache to 32 cells, now to 256",
            ),
            (
                pad((window * sequences + report.n_batch).min(report.n_ctx_seq), 256),
                "older versions held window × sequences + n_batch cells (now n_ubatch)",
            ),
            (
                pad((window * sequences + report.n_batch).min(report.n_ctx_seq), 32),
                "older versions held window × sequences + n_batch cells, padded to 32 (now n_ubatch, 256)",
            ),
            (
                pad((window * sequences + report.n_ubatch).min(report.n_ctx_seq), 256),
                "older versions counted the window once per sequence without a unified cache too",
            ),
        ];
        older.into_iter().find(|(count, _)| *count == cells).map(|(_, why)| Cow::Borrowed(why))
    }
}

impl Recurrent {
    fn compare(&self, report: &Report, out: &mut Vec<Line>) {
        let Some(planned) = &report.recurrent else {
            out.push(Line::not_planned("recurrent states", self.size.shown("MiB")));
            return;
        };
        let mut figure = |what: &str, size: Rounded, bytes: u64| {
            let figure = format!("recurrent: {what}");
            out.push(Line::compared(figure, size.shown("MiB"), size.like(bytes, "MiB"), size.holds(bytes)));
        };
        figure("size", self.size, planned.r_bytes + planned.s_bytes);
        for (what, size) in &self.parts {
            match *what {
                "R" => figure("R", *size, planned.r_bytes),
                "S" => figure("S", *size, planned.s_bytes),
                _ => {}
            }
        }
    }
}
