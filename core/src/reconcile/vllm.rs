//! vLLM's start-up log: the memory it found, the tokens it says that holds, and how many requests.

use super::scan::{Rounded, after, python, whole};
use super::{Given, Line, Reconciliation, model_of, planned, request_of};
use crate::engine::vllm::{LogFigures, LogFormula, LogInput, Report};
use crate::engine::{EngineName, Report as AnyReport};
use crate::error::PlanError;
use crate::plan::Request;
use crate::spec::{Mixer, ModelSpec};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

const GIB: u64 = 1 << 30;

#[derive(Debug, Default)]
struct Log {
    version: Option<String>,
    names: Vec<String>,
    options: Map<String, Value>,
    length: Option<u64>,
    block_size: Option<u64>,
    memory: Option<Rounded>,
    weights: Option<Rounded>,
    blocks: Option<u64>,
    tokens: Option<u64>,
    concurrency: Option<Rounded>,
    cpu: bool,
}

/// `None` where this is no log of vLLM.
pub(super) fn reconcile(lines: &[String], given: &Given<'_>) -> Option<Result<Reconciliation, PlanError>> {
    let mut log = Log::default();
    for line in lines {
        log.read(line);
    }
    (log.tokens.is_some() || log.blocks.is_some() || log.concurrency.is_some()).then(|| compare(&log, given))
}

/// A set-up that the log may have been printed of: some versions reserved by other rules, which options can say.
struct SetUp {
    options: Vec<(&'static str, Value)>,
    why: Option<&'static str>,
}

fn compare(log: &Log, given: &Given<'_>) -> Result<Reconciliation, PlanError> {
    let names: Vec<&str> = log.names.iter().map(String::as_str).collect();
    let model = model_of(given, &names)?;
    let mut best: Option<(Tried, Option<&'static str>)> = None;
    let mut refused = None;
    for set_up in log.set_ups(&model) {
        let mut options = log.options.clone();
        options.extend(set_up.options.into_iter().map(|(name, value)| (name.to_owned(), value)));
        let mut request = request_of(EngineName::Vllm, &model, options, given);
        let trained = model.scaled_context().map(crate::unit::Tokens::get);
        let asked = given.options.is_some_and(|options| options.contains_key("max_model_len"));
        // A log that names no length is of one that was left at the model's own.
        request.context = log.length.or(trained).filter(|_| !asked);
        match log.tried(&model, request) {
            Ok(tried) => {
                let reproduces = tried.blocks.is_some();
                if best.is_none() || reproduces {
                    best = Some((tried, set_up.why));
                }
                if reproduces {
                    break;
                }
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let Some((tried, why)) = best else {
        return Err(refused.unwrap_or_else(|| PlanError::invalid("", "no set-up fits this log")));
    };
    Ok(log.told(&model, &tried, why))
}

/// One set-up, planned.
struct Tried {
    request: Request,
    report: Report,
    input: LogInput,
    formula: LogFormula,
    /// Blocks in the printed memory that give the printed figures.
    blocks: Option<u64>,
    /// The figures at the middle of the printed memory, where no count of blocks gives those printed.
    nearest: Option<(u64, LogFigures)>,
}

impl Log {
    fn tried(&self, model: &ModelSpec, request: Request) -> Result<Tried, PlanError> {
        let plan = planned(model, &request)?;
        let AnyReport::Vllm(report) = plan.kv.engine_report else {
            return Err(PlanError::unsupported("engine.name", "this plan is not vLLM's"));
        };
        let report = *report;
        let formula = self.formula();
        let per_request = report.blocks_per_sequence.unwrap_or(1);
        let smallest = report.groups.iter().map(|group| group.block_size).min().unwrap_or(report.block_size);
        let option = |name: &str| self.options.get(name).and_then(Value::as_u64);
        let input = LogInput {
            num_blocks: 0,
            groups: u64::try_from(report.groups.len()).unwrap_or(1),
            block_size: smallest,
            blocks_per_request: per_request,
            max_model_len: plan.context.get(),
            dcp: option("decode_context_parallel_size").unwrap_or(1),
        };
        let per_block = report.bytes_per_block.max(1);
        let (low, high) = match (self.blocks, self.memory) {
            (Some(blocks), _) => (blocks, blocks),
            (None, Some(memory)) => {
                let (low, high) = memory.range(false);
                (low / per_block, high / per_block)
            }
            // Without memory the blocks follow from the tokens.
            (None, None) => self.blocks_of_tokens(&input),
        };
        let gives = |num_blocks: &u64| {
            self.printed_by(formula.figures(&LogInput { num_blocks: *num_blocks, ..input }))
        };
        let wide = high.saturating_sub(low) > 100_000;
        let blocks = if wide { None } else { (low..=high).find(gives) };
        let middle = low + (high - low) / 2;
        let nearest =
            blocks.is_none().then(|| (middle, formula.figures(&LogInput { num_blocks: middle, ..input })));
        Ok(Tried { request, report, input, formula, blocks, nearest })
    }

    /// Blocks that would hold the printed tokens.
    const fn blocks_of_tokens(&self, input: &LogInput) -> (u64, u64) {
        let Some(tokens) = self.tokens else { return (0, 0) };
        let per_request = input.blocks_per_request;
        let length = if input.max_model_len == 0 { 1 } else { input.max_model_len };
        let size = if input.block_size == 0 { 1 } else { input.block_size };
        let by_request = (tokens / length).saturating_mul(per_request);
        let by_block = tokens / size;
        let (low, high) = if by_request < by_block { (by_request, by_block) } else { (by_block, by_request) };
        (
            low,
            high.saturating_add(per_request).saturating_mul(if input.groups == 0 { 1 } else { input.groups }),
        )
    }

    /// Whether these are the figures printed.
    fn printed_by(&self, figures: LogFigures) -> bool {
        let concurrency = self
            .concurrency
            .is_none_or(|printed| printed.shown("") == format!("{:.2} ", figures.concurrency));
        self.tokens.is_none_or(|tokens| tokens == figures.tokens) && concurrency
    }

    fn formula(&self) -> LogFormula {
        // V0 and builds from a branch say nothing; their figures are those of the modelled version.
        self.version.as_deref().and_then(LogFormula::of).unwrap_or(if self.blocks.is_some() {
            LogFormula::Tokens
        } else {
            LogFormula::Concurrency
        })
    }

    /// Whether the version is older than `0.minor`.
    fn before(&self, minor: u32) -> bool {
        let version = self.version.as_deref().unwrap_or_default().trim_start_matches('v');
        let mut parts = version.split('.');
        let (major, second) = (parts.next().and_then(|p| p.parse::<u32>().ok()), parts.next());
        let second: String = second.unwrap_or_default().chars().take_while(char::is_ascii_digit).collect();
        major == Some(0) && second.parse::<u32>().is_ok_and(|second| second < minor)
    }

    /// What to try: the log's own options, then what older versions did otherwise.
    fn set_ups(&self, model: &ModelSpec) -> Vec<SetUp> {
        let has = |wanted: fn(&Mixer) -> bool| model.kinds().iter().flat_map(|k| k.mixers()).any(wanted);
        let windows = has(|mixer| matches!(mixer, Mixer::Window(_) | Mixer::Chunk(_)));
        let states = model
            .kinds()
            .iter()
            .flat_map(|k| k.stores())
            .any(|store| store.role == crate::cache::Role::RecurrentState);
        let mut all = vec![SetUp { options: Vec::new(), why: None }];
        let batched = self.options.get("max_num_batched_tokens").and_then(Value::as_u64).unwrap_or(8192);
        if windows && self.before(26) {
            all.insert(
                0,
                SetUp {
                    options: vec![("max_num_batched_tokens", json!(batched.div_ceil(2)))],
                    why: Some("before 0.26 a window's blocks were reserved for one batch in flight, not two"),
                },
            );
        }
        if states {
            let ampere = ("platform", json!("sm86"));
            all.push(SetUp {
                options: vec![ampere.clone()],
                why: Some("recurrent states without checkpoints inside a prefill: not on Hopper, or a version that made none"),
            });
            for dtype in ["bfloat16", "float32"] {
                all.push(SetUp {
                    options: vec![ampere.clone(), ("mamba_ssm_cache_dtype", json!(dtype))],
                    why: Some("recurrent states in another type than the model asks for now"),
                });
            }
            all.push(SetUp {
                options: vec![ampere, ("enable_prefix_caching", json!(false)), ("mamba_ssm_cache_dtype", json!("bfloat16"))],
                why: Some("prefix caching off and states in the model's own type, as early versions had it for such models"),
            });
        }
        all
    }

    fn told(&self, model: &ModelSpec, tried: &Tried, why: Option<&'static str>) -> Reconciliation {
        let mut lines = Vec::new();
        let mut notes: Vec<Cow<'static, str>> = Vec::new();
        let Tried { report, input, .. } = tried;
        if let Some(printed) = self.block_size {
            lines.push(Line::compared(
                "block size",
                printed.to_string(),
                report.block_size.to_string(),
                printed == report.block_size,
            ));
        }
        let (blocks, figures) = match (tried.blocks, tried.nearest) {
            (Some(blocks), _) => (blocks, tried.formula.figures(&LogInput { num_blocks: blocks, ..*input })),
            (None, Some(nearest)) => nearest,
            (None, None) => (0, tried.formula.figures(input)),
        };
        let bytes = blocks.saturating_mul(report.bytes_per_block);
        if let Some(memory) = self.memory {
            let (low, high) = memory.range(false);
            let rest = high.saturating_sub(bytes);
            let fills = bytes <= high && rest < report.bytes_per_block.saturating_add(high - low);
            let why = "memory that is less than a block is left over";
            lines.push(
                Line::compared(
                    "KV cache memory",
                    memory.shown("GiB"),
                    memory.like(bytes, "GiB"),
                    memory.holds(bytes),
                )
                .because(fills.then_some(Cow::Borrowed(why))),
            );
        }
        if let Some(printed) = self.blocks {
            lines.push(Line::compared(
                "GPU blocks",
                printed.to_string(),
                blocks.to_string(),
                printed == blocks,
            ));
        }
        if let Some(tokens) = self.tokens {
            lines.push(Line::compared(
                "GPU KV cache size",
                format!("{tokens} tokens"),
                format!("{} tokens", figures.tokens),
                tokens == figures.tokens,
            ));
        }
        if let Some(printed) = self.concurrency {
            let ours = format!("{:.2}x", figures.concurrency);
            lines.push(Line::compared(
                "maximum concurrency",
                format!("{}x", printed.shown("").trim()),
                ours.clone(),
                printed.shown("").trim() == ours.trim_end_matches('x'),
            ));
        }
        if let Some(weights) = self.weights {
            lines.push(Line::not_planned("model weights", weights.shown("GiB")));
        }
        if tried.blocks.is_some() {
            notes.push(Cow::Owned(format!(
                "{blocks} blocks of {} bytes, {} of them a request of {} tokens",
                report.bytes_per_block, input.blocks_per_request, input.max_model_len
            )));
        }
        notes.extend(why.filter(|_| tried.blocks.is_some()).map(Cow::Borrowed));
        notes.push(Cow::Borrowed(match tried.formula {
            LogFormula::Tokens => "this version prints blocks × block size as tokens",
            LogFormula::PerGroup => {
                "this version prints blocks shared out over the groups × the smallest block as tokens"
            }
            LogFormula::Concurrency => {
                "the tokens printed are concurrency × the longest request, not what blocks hold"
            }
        }));
        if self.cpu {
            notes.push(Cow::Borrowed("vLLM's CPU backend: its blocks are larger"));
        }
        Reconciliation {
            engine: EngineName::Vllm,
            program: None,
            version: self.version.clone(),
            modelled: EngineName::Vllm.modelled_version().unwrap_or_default(),
            model: model.name().to_owned(),
            request: tried.request.clone(),
            lines,
            notes,
        }
    }

    fn read(&mut self, line: &str) {
        for mark in ["LLM engine (v", "API server version ", "  version ", "vLLM version "] {
            if let Some(version) = after(line, mark) {
                let end = version.find([')', ' ', ',']).unwrap_or(version.len());
                self.version = version.get(..end).map(|v| v.trim_start_matches('v').to_owned());
            }
        }
        if line.contains("non-default args") || line.contains("with config:") || line.contains("engine_args")
        {
            self.read_arguments(line);
        }
        if let Some(tokens) =
            after(line, "Chunked prefill is enabled with max_num_batched_tokens=").and_then(whole)
        {
            self.options.insert("max_num_batched_tokens".to_owned(), json!(tokens));
        }
        if let Some(size) = after(line, "attention block size to").and_then(whole) {
            self.block_size = Some(size);
        }
        for (mark, ends) in [
            ("Available KV cache memory:", ""),
            ("kv_cache_size=", ""),
            ("rest of the memory reserved for KV Cache is", ""),
        ] {
            let memory = after(line, mark).and_then(|text| Rounded::read(text, GIB));
            self.memory = memory.filter(|_| ends.is_empty()).or(self.memory);
        }
        if let Some(weights) = after(line, "Model loading took").and_then(|text| Rounded::read(text, GIB)) {
            self.weights = Some(weights);
        }
        if let Some(blocks) = after(line, "GPU blocks:").and_then(whole) {
            self.blocks = Some(blocks);
        }
        if let Some(tokens) = after(line, "KV cache size:").filter(|t| t.contains("tokens")).and_then(whole) {
            self.tokens = Some(tokens);
            self.cpu |= line.contains("CPU KV cache size");
        }
        if let Some(text) = after(line, "Maximum concurrency for") {
            self.length = whole(text).or(self.length);
            self.concurrency = after(text, "per request:").and_then(|text| Rounded::read(text, 1));
        }
    }

    fn read_arguments(&mut self, line: &str) {
        for name in ["model", "model_tag"] {
            if let Some(model) = python(line, name).filter(|m| !m.is_empty() && *m != "None") {
                self.names.push(model.to_owned());
            }
        }
        if let Some(served) = python(line, "served_model_name") {
            self.names.push(served.trim_matches(['[', '\'', ']']).to_owned());
        }
        self.length = python(line, "max_seq_len")
            .or_else(|| python(line, "max_model_len"))
            .and_then(whole)
            .or(self.length);
        for name in [
            "tensor_parallel_size",
            "pipeline_parallel_size",
            "decode_context_parallel_size",
            "max_num_seqs",
            "max_num_batched_tokens",
            "block_size",
            "kv_cache_memory_bytes",
        ] {
            if let Some(value) = python(line, name).and_then(|text| text.parse::<u64>().ok()) {
                self.options.insert(name.to_owned(), json!(value));
            }
        }
        for name in ["kv_cache_dtype", "mamba_ssm_cache_dtype"] {
            if let Some(value) = python(line, name).filter(|value| !matches!(*value, "None" | "auto")) {
                self.options.insert(name.to_owned(), json!(value));
            }
        }
        if let Some(value) = python(line, "enable_prefix_caching").filter(|value| *value != "None") {
            self.options.insert("enable_prefix_caching".to_owned(), json!(value == "True"));
        }
        if let Some(drafted) =
            python(line, "num_spec_tokens").or_else(|| python(line, "num_speculative_tokens")).and_then(whole)
        {
            self.options.insert("num_speculative_tokens".to_owned(), json!(drafted));
        }
        // The pool is what the log is about: asked for or found, it is compared, not taken.
        self.options.remove("kv_cache_memory_bytes");
    }
}
