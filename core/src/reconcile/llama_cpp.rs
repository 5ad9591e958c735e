//! llama.cpp's start-up log, also inside Ollama and LM Studio: contexts, caches, buffers.

use super::scan::{Rounded, after, number, whole, word_before};
use super::{Given, Line, Reconciliation, model_of, planned, request_of};
use crate::engine::llama_cpp::{CacheReport, Report};
use crate::engine::{EngineName, Report as AnyReport};
use crate::error::PlanError;
use crate::plan::{ModelRef, Plan, resolve_model};
use crate::spec::{Mixer, ModelSpec};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

const MIB: u64 = 1 << 20;

/// What one context printed.
#[derive(Debug, Default)]
struct Context {
    options: Map<String, Value>,
    n_ctx: Option<u64>,
    n_ctx_seq: Option<u64>,
    caches: Vec<Cache>,
    recurrent: Option<Recurrent>,
    /// KV buffers by device.
    buffers: Vec<(String, Rounded)>,
    outputs: Vec<Rounded>,
    compute: Vec<(String, Rounded)>,
}

/// `size = 416.00 MiB ( 8192 cells, 13 layers, 4/1 seqs), K (f16): 208.00 MiB, V (f16): 208.00 MiB`.
#[derive(Debug)]
struct Cache {
    windowed: bool,
    size: Rounded,
    cells: Option<u64>,
    layers: Option<u64>,
    types: [Option<(String, Rounded)>; 2],
}

#[derive(Debug)]
struct Recurrent {
    size: Rounded,
    parts: Vec<(&'static str, Rounded)>,
}

#[derive(Debug, Default)]
struct Log {
    build: Option<String>,
    program: Option<&'static str>,
    names: Vec<String>,
    metadata: Map<String, Value>,
    contexts: Vec<Context>,
    model_buffers: Vec<(String, Rounded)>,
    windowed_next: bool,
    notes: Vec<Cow<'static, str>>,
}

/// `None` where this is no log of llama.cpp.
pub(super) fn reconcile(lines: &[String], given: &Given<'_>) -> Option<Result<Reconciliation, PlanError>> {
    let mut log = Log::default();
    for line in lines {
        log.read(line);
    }
    // A dry run prints empty buffers before the real one; a draft's context is smaller than its model's.
    let weight = |context: &Context| {
        context.caches.iter().map(|cache| cache.size.range(false).1).sum::<u64>()
            + context.recurrent.as_ref().map_or(0, |it| it.size.range(false).1)
    };
    let best = (0..log.contexts.len()).max_by_key(|at| log.contexts.get(*at).map(weight))?;
    let context =
        log.contexts.get(best).filter(|context| !context.caches.is_empty() || context.recurrent.is_some())?;
    Some(compare(&log, context, given))
}

fn compare(log: &Log, context: &Context, given: &Given<'_>) -> Result<Reconciliation, PlanError> {
    let model = log.model(given)?;
    let mut request = request_of(EngineName::LlamaCpp, &model, context.options.clone(), given);
    request.mtp = 0;
    let mut plan = planned(&model, &request)?;
    let mut notes = log.notes.clone();
    // The log does not say whether embeddings are handed out, but the output buffer does.
    if !context.outputs_are(&plan) {
        let mut with = request.clone();
        with.engine.iter_mut().for_each(|engine| {
            engine.options.insert("embeddings".to_owned(), json!(true));
        });
        if let Some(found) = planned(&model, &with).ok().filter(|plan| context.outputs_are(plan)) {
            (plan, request) = (found, with);
            notes.push(Cow::Borrowed("embeddings are handed out beside logits: the output buffer says so"));
        }
    }
    let AnyReport::LlamaCpp(report) = &plan.kv.engine_report else {
        return Err(PlanError::unsupported("engine.name", "this plan is not llama.cpp's"));
    };
    let window = model.kinds().iter().flat_map(|kind| kind.mixers()).find_map(|mixer| match mixer {
        Mixer::Window(it) => Some(it.window),
        Mixer::Chunk(it) => Some(it.chunk),
        Mixer::Full(_)
        | Mixer::Mla(_)
        | Mixer::Compressed(_)
        | Mixer::Mamba1(_)
        | Mixer::Mamba2(_)
        | Mixer::GatedDelta(_)
        | Mixer::Kda(_)
        | Mixer::Lightning(_)
        | Mixer::ShortConv(_)
        | Mixer::Rwkv(_)
        | Mixer::RgLru(_)
        | Mixer::Mlstm(_)
        | Mixer::Cross(_)
        | Mixer::Shared(_) => None,
    });
    let mut out = Vec::new();
    for (figure, printed, planned) in
        [("n_ctx", context.n_ctx, report.n_ctx), ("n_ctx_seq", context.n_ctx_seq, report.n_ctx_seq)]
    {
        if let Some(printed) = printed {
            out.push(Line::compared(figure, printed.to_string(), planned.to_string(), printed == planned));
        }
    }
    // Caches without layers print nothing.
    let expected: Vec<&CacheReport> = report.caches.iter().filter(|cache| cache.layers > 0).collect();
    for (at, cache) in context.caches.iter().enumerate() {
        cache.compare(expected.get(at).copied(), window, report, &mut out);
    }
    if context.caches.len() < expected.len() && !context.caches.is_empty() {
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
    /// Whether the plan's output buffer is the one printed.
    fn outputs_are(&self, plan: &Plan) -> bool {
        let AnyReport::LlamaCpp(report) = &plan.kv.engine_report else { return false };
        report
            .output_buffer_bytes
            .is_some_and(|bytes| self.outputs.iter().all(|printed| printed.holds(bytes)))
    }
}

impl Cache {
    fn compare(
        &self,
        planned: Option<&CacheReport>,
        window: Option<u64>,
        report: &Report,
        out: &mut Vec<Line>,
    ) {
        let Some(planned) = planned else {
            out.push(Line::not_planned("a cache the plan does not have", self.size.shown("MiB")));
            return;
        };
        let name = planned.name;
        let why = self
            .cells
            .filter(|cells| *cells != planned.cells)
            .and_then(|cells| self.older(cells, planned, window, report));
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
        let mut figure = |what: &str, size: Rounded, bytes: u64| {
            let follows = u64::try_from(scaled(bytes)).is_ok_and(|bytes| size.holds(bytes));
            let line = Line::compared(
                format!("{name}: {what}"),
                size.shown("MiB"),
                size.like(bytes, "MiB"),
                size.holds(bytes),
            );
            out.push(line.because(why.clone().filter(|_| follows)));
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

impl Log {
    /// The model: as given, as the dumped metadata describe it, or by name.
    fn model(&self, given: &Given<'_>) -> Result<Cow<'static, ModelSpec>, PlanError> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let by_name = model_of(given, &names);
        if given.model.is_some() || self.metadata.is_empty() {
            return by_name;
        }
        match resolve_model(&ModelRef::Gguf(self.metadata.clone())) {
            Ok(model) => Ok(Cow::Owned(match self.names.first() {
                Some(name) => model.into_owned().named(name.clone()),
                None => model.into_owned(),
            })),
            // A list that the dump cuts short, or a key that it leaves out.
            Err(_) => by_name,
        }
    }

    fn read(&mut self, line: &str) {
        if self.program.is_none() {
            let known = [
                ("source=server.go", "Ollama"),
                ("source=sched.go", "Ollama"),
                ("ollama", "Ollama"),
                ("LM Studio", "LM Studio"),
                ("lmstudio", "LM Studio"),
                ("LMStudio", "LM Studio"),
            ];
            self.program = known.iter().find(|(mark, _)| line.contains(mark)).map(|(_, name)| *name);
        }
        // LM Studio writes the date and the level on a line of their own.
        if self.program.is_none() && line.ends_with("[DEBUG]") && line.starts_with("20") {
            self.program = Some("LM Studio");
        }
        if let Some(build) =
            after(line, "build:").filter(|text| text.starts_with(|c: char| c.is_ascii_digit()))
        {
            self.build = Some(build.split(" with").next().unwrap_or(build).to_owned());
        }
        self.read_model(line);
        self.read_context(line);
        self.read_cache(line);
        if let Some(size) = after(line, "output buffer size =").and_then(|text| Rounded::read(text, MIB)) {
            self.context().outputs.push(size);
        }
        if let (Some(size), Some(device)) = (
            after(line, "compute buffer size =").and_then(|t| Rounded::read(t, MIB)),
            word_before(line, "compute buffer size"),
        ) {
            let device = device.to_owned();
            self.context().compute.push((device, size));
        }
        if let (Some(size), Some(device)) = (
            after(line, "model buffer size =").and_then(|t| Rounded::read(t, MIB)),
            word_before(line, "model buffer size"),
        ) {
            self.model_buffers.retain(|(known, _)| known != device);
            self.model_buffers.push((device.to_owned(), size));
        }
    }

    fn context(&mut self) -> &mut Context {
        if self.contexts.is_empty() {
            self.contexts.push(Context::default());
        }
        let last = self.contexts.len() - 1;
        // The list is not empty: one was pushed above.
        #[expect(clippy::indexing_slicing, reason = "the index of the last element")]
        &mut self.contexts[last]
    }

    fn read_model(&mut self, line: &str) {
        for mark in ["general.name str", "general.basename str", "general.name  ", "general.name ="] {
            if let Some(name) = after(line, mark).map(|text| text.trim_start_matches('=').trim()) {
                self.names.push(name.replace(' ', "-"));
            }
        }
        for mark in ["tensors from ", "loading model '"] {
            if let Some(path) = after(line, mark) {
                let path = path.split(" (version").next().unwrap_or(path).trim_end_matches('\'');
                self.names.push(path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned());
            }
        }
        // `- kv   7:    gpt-oss.block_count u32    = 24`.
        let Some((_, entry)) = after(line, "- kv ").and_then(|text| text.split_once(':')) else { return };
        let Some((key, value)) = entry.split_once('=') else { return };
        let mut words = key.split_whitespace();
        let (Some(key), Some(ty)) = (words.next(), words.next()) else { return };
        if key == "general.architecture" {
            self.metadata.clear();
        }
        let value = value.trim();
        let value = match ty {
            "str" => Some(json!(value)),
            "bool" => value.parse::<bool>().ok().map(Value::from),
            "f32" | "f64" => value.parse::<f64>().ok().map(Value::from),
            "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "u64" | "i64" => {
                value.parse::<i64>().ok().map(Value::from)
            }
            // A list is usable where the dump did not cut it.
            ty if ty.starts_with("arr[") && !value.contains("...") && !ty.starts_with("arr[str") => {
                serde_json::from_str(value).ok()
            }
            _ => None,
        };
        // The tokenizer's lists are cut; their length is the vocabulary.
        if let (None, "tokenizer.ggml.tokens", Some(count)) = (
            &value,
            key,
            ty.strip_prefix("arr[str,").and_then(|n| n.trim_end_matches(']').parse::<u64>().ok()),
        ) && let Some(arch) = self.metadata.get("general.architecture").and_then(Value::as_str)
        {
            let key = format!("{arch}.vocab_size");
            self.metadata.entry(key).or_insert_with(|| json!(count));
        }
        if let Some(value) = value {
            self.metadata.insert(key.to_owned(), value);
        }
    }

    fn read_context(&mut self, line: &str) {
        if line.contains("constructing llama_context") {
            self.contexts.push(Context::default());
            return;
        }
        if line.contains("using full-size SWA cache") {
            self.context().options.insert("swa_full".to_owned(), json!(true));
        }
        let marks = ["llama_context:", "llama_new_context_with_model:", "llama_init_from_model:"];
        let Some((key, value)) =
            marks.iter().find_map(|mark| after(line, mark)).and_then(|text| text.split_once('='))
        else {
            return;
        };
        let (key, value) = (key.trim(), value.trim());
        // Before contexts announced themselves, the first of these lines did.
        let repeated =
            self.contexts.last().is_some_and(|c| key == "n_seq_max" && c.options.contains_key(key));
        if repeated || self.contexts.is_empty() {
            self.contexts.push(Context::default());
        }
        let context = self.context();
        let mut set = |option: &str, value: Option<Value>| {
            if let Some(value) = value {
                context.options.insert(option.to_owned(), value);
            }
        };
        match key {
            "n_seq_max" | "n_batch" | "n_ubatch" => set(key, whole(value).map(Value::from)),
            "kv_unified" => set(key, Some(json!(value == "true" || value == "1"))),
            "flash_attn" => {
                let word = match value {
                    "1" | "enabled" | "on" | "true" => "on",
                    "0" | "disabled" | "off" | "false" => "off",
                    _ => "auto",
                };
                set(key, Some(json!(word)));
            }
            "n_ctx" => {
                set(key, whole(value).map(Value::from));
                context.n_ctx = whole(value);
            }
            "n_ctx_seq" | "n_ctx_per_seq" => context.n_ctx_seq = whole(value),
            _ => {}
        }
    }

    fn read_cache(&mut self, line: &str) {
        if line.contains("creating non-SWA KV cache") {
            self.windowed_next = false;
        } else if line.contains("SWA KV cache, size") {
            self.windowed_next = true;
        }
        if let (Some(size), Some(device)) = (
            after(line, "KV buffer size =").and_then(|t| Rounded::read(t, MIB)),
            word_before(line, "KV buffer size"),
        ) {
            let device = device.to_owned();
            self.context().buffers.push((device, size));
        }
        // `msg="kv cache" device=CUDA0 size="416.0 MiB"`: Ollama's own runner.
        if line.contains("llama_memory_recurrent") || line.contains("llama_kv_cache_recurrent") {
            if let Some(text) = after(line, "size =").filter(|text| text.contains("cells")) {
                let Some(size) = Rounded::read(text, MIB) else { return };
                let parts = [("R", "R (f32):"), ("S", "S (f32):")];
                let parts = parts
                    .into_iter()
                    .filter_map(|(name, mark)| Some((name, Rounded::read(after(text, mark)?, MIB)?)));
                let recurrent = Recurrent { size, parts: parts.collect() };
                let snapshots = word_before(text, "rs_seq").and_then(whole).filter(|n| *n > 0);
                if let Some(snapshots) = snapshots {
                    self.context().options.insert("n_rs_seq".to_owned(), json!(snapshots));
                }
                self.context().recurrent = Some(recurrent);
            }
            return;
        }
        let sized = after(line, "KV self size  =").or_else(|| {
            let ours = line.contains("llama_kv_cache");
            after(line, "size =").filter(|text| ours && text.contains("K ("))
        });
        let Some(text) = sized else { return };
        let Some(size) = Rounded::read(text, MIB) else { return };
        let typed = |side: &str| {
            let text = after(text, &format!("{side} ("))?;
            let (ty, rest) = text.split_once("):")?;
            Some((ty.to_owned(), Rounded::read(rest, MIB)?))
        };
        let types = [typed("K"), typed("V")];
        let windowed = self.windowed_next;
        let cells =
            word_before(text, "cells").and_then(|word| number(word.trim_start_matches('('))).and_then(whole);
        let cache =
            Cache { windowed, size, cells, layers: word_before(text, "layers").and_then(whole), types };
        // `4/1 seqs`: sequences and streams. What the context's own lines did not say follows from here.
        if let Some((sequences, streams)) = word_before(text, "seqs").and_then(|word| word.split_once('/'))
            && let (Some(sequences), Some(streams)) = (whole(sequences), whole(streams))
        {
            let options = &mut self.context().options;
            options.entry("n_seq_max").or_insert_with(|| json!(sequences));
            options.entry("kv_unified").or_insert_with(|| json!(streams == 1 && sequences > 1));
            if let (Some(cells), false) = (cells, windowed) {
                options.entry("n_ctx").or_insert_with(|| json!(cells.saturating_mul(streams)));
            }
        }
        for (option, ty) in ["type_k", "type_v"].into_iter().zip(&cache.types) {
            if let (Some((ty, _)), false) = (ty, windowed) {
                let ty = json!(ty);
                self.context().options.insert(option.to_owned(), ty);
            }
        }
        self.context().caches.push(cache);
    }
}
