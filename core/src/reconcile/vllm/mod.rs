//! vLLM's start-up log: the memory it found, the tokens it says that holds, and how many requests.

mod log;

use super::started::Started;
use super::{Given, Line, Reconciliation, model_of, planned, request_of};
use crate::engine::vllm::{LogFigures, LogFormula, LogInput, Report};
use crate::engine::{EngineName, Report as AnyReport};
use crate::error::PlanError;
use crate::plan::Request;
use crate::spec::{Mixer, ModelSpec};
use log::{Log, Memory, Pool};
use serde_json::{Value, json};
use std::borrow::Cow;

/// `None` where this is no log of vLLM.
pub(super) fn reconcile(
    lines: &[String],
    started: Option<&Started>,
    given: &Given<'_>,
) -> Option<Result<Reconciliation, PlanError>> {
    let mut log = Log::read_all(lines);
    if let Some(started) = started {
        started.complete(&mut log.names, &mut log.options);
        log.length = log.length.or(started.context);
    }
    // The pool is what the log is about: asked for or found, it is compared, not taken.
    log.options.remove("kv_cache_memory_bytes");
    log.has_figures().then(|| compare(&log, given))
}

/// A set-up that the log may have been printed of: some versions reserved by other rules, which options can say.
#[derive(Clone, Default)]
struct SetUp {
    options: Vec<(&'static str, Value)>,
    why: Vec<Cow<'static, str>>,
}

impl SetUp {
    fn with(&self, options: &[(&'static str, Value)], why: impl Into<Cow<'static, str>>) -> Self {
        let mut with = self.clone();
        with.options.extend(options.iter().cloned());
        with.why.push(why.into());
        with
    }
}

fn compare(log: &Log, given: &Given<'_>) -> Result<Reconciliation, PlanError> {
    let names: Vec<&str> = log.names.iter().map(String::as_str).collect();
    let model = model_of(given, &names)?;
    let mut best: Option<(Tried, SetUp)> = None;
    let mut refused = None;
    for set_up in log.set_ups(&model, given) {
        let mut options = log.options.clone();
        options.extend(set_up.options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let mut request = request_of(EngineName::Vllm, &model, options, given);
        let trained = model.scaled_context().map(crate::unit::Tokens::get);
        let asked = given.options.is_some_and(|options| options.contains_key("max_model_len"));
        // A log that names no length is of one that was left at the model's own.
        request.context = log.length.or(trained).filter(|_| !asked);
        match log.tried(&model, &request) {
            Ok(tried) => {
                let reproduces = tried.blocks.is_some();
                if best.is_none() || reproduces {
                    best = Some((tried, set_up));
                }
                if reproduces {
                    break;
                }
            }
            Err(error) => refused = refused.or(Some(error)),
        }
    }
    let Some((tried, set_up)) = best else {
        return Err(refused.unwrap_or_else(|| PlanError::invalid("engine", "no set-up fits this log")));
    };
    Ok(log.told(&model, &tried, set_up))
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
    fn tried(&self, model: &ModelSpec, request: &Request) -> Result<Tried, PlanError> {
        let plan = planned(model, request)?;
        let AnyReport::Vllm(report) = plan.kv.engine_report else {
            return Err(PlanError::unsupported("engine.name", "this plan is not vLLM's"));
        };
        let report = *report;
        let per_request = report.blocks_per_sequence.unwrap_or(1);
        let smallest = report.groups.iter().map(|group| group.block_size).min().unwrap_or(report.block_size);
        let asked =
            request.engine.as_ref().and_then(|engine| engine.options.get("decode_context_parallel_size"));
        let input = LogInput {
            num_blocks: 0,
            groups: u64::try_from(report.groups.len()).unwrap_or(1),
            block_size: smallest,
            blocks_per_request: per_request,
            max_model_len: plan.context.get(),
            dcp: asked.and_then(Value::as_u64).unwrap_or(1),
        };
        let pool = self.pool();
        let (low, high) = self.block_range(&report, &input, pool);
        let mut tried = None;
        for formula in self.formulas() {
            let gives = |num_blocks: &u64| {
                printed_by(pool, formula.figures(&LogInput { num_blocks: *num_blocks, ..input }))
            };
            let wide = high.saturating_sub(low) > 100_000;
            let blocks = if wide { None } else { (low..=high).find(gives) };
            if blocks.is_some() || tried.is_none() {
                tried = Some((formula, blocks));
            }
            if blocks.is_some() {
                break;
            }
        }
        let (formula, blocks) = tried.unwrap_or((LogFormula::Concurrency, None));
        let middle = low + (high - low) / 2;
        let nearest =
            blocks.is_none().then(|| (middle, formula.figures(&LogInput { num_blocks: middle, ..input })));
        Ok(Tried { request: request.clone(), report, input, formula, blocks, nearest })
    }

    /// The least and the most blocks that it may have had.
    fn block_range(&self, report: &Report, input: &LogInput, pool: Pool) -> (u64, u64) {
        let per_block = report.bytes_per_block.max(1);
        match (self.blocks, self.memory()) {
            (Some(blocks), _) => (blocks, blocks),
            (None, Some(memory)) => {
                let (low, high) = memory.size.range(false);
                (low / per_block, high / per_block)
            }
            // Without memory the blocks follow from the tokens.
            (None, None) => pool.tokens.map_or((0, 0), |tokens| blocks_of_tokens(tokens, input)),
        }
    }

    /// What to try: the log's own options, then what older versions did otherwise.
    fn set_ups(&self, model: &ModelSpec, given: &Given<'_>) -> Vec<SetUp> {
        let has = |wanted: fn(&Mixer) -> bool| model.kinds().iter().flat_map(|k| k.mixers()).any(wanted);
        let windows = has(|mixer| matches!(mixer, Mixer::Window(_) | Mixer::Chunk(_) | Mixer::Compressed(_)));
        let states = model
            .kinds()
            .iter()
            .flat_map(|k| k.stores())
            .any(|store| store.role == crate::cache::Role::RecurrentState);
        let mut all = if windows { self.batches(given) } else { vec![SetUp::default()] };
        if states {
            let plain = SetUp::default();
            let ampere = ("platform", json!("sm86"));
            all.push(plain.with(
                std::slice::from_ref(&ampere),
                "recurrent states without checkpoints inside a prefill: not on Hopper, or a version that made none",
            ));
            for dtype in ["bfloat16", "float32"] {
                all.push(plain.with(
                    &[ampere.clone(), ("mamba_ssm_cache_dtype", json!(dtype))],
                    "recurrent states in another type than the model asks for now",
                ));
            }
            all.push(plain.with(
                &[ampere, ("enable_prefix_caching", json!(false)), ("mamba_ssm_cache_dtype", json!("bfloat16"))],
                "prefix caching off and states in the model's own type, as early versions had it for such models",
            ));
        }
        // Which block an attention backend takes depends on the version and the platform; hybrids choose their own.
        let asked = |options: &serde_json::Map<String, Value>| options.contains_key("block_size");
        if !states && !asked(&self.options) && !given.options.is_some_and(asked) {
            for size in [16u64, 32, 64, 128, 256] {
                let others: Vec<SetUp> = all
                    .iter()
                    .filter(|set_up| !set_up.options.iter().any(|(name, _)| *name == "block_size"))
                    .map(|set_up| {
                        set_up.with(
                            &[("block_size", json!(size))],
                            format!(
                                "blocks of {size} tokens: what its version or platform takes for this model"
                            ),
                        )
                    })
                    .collect();
                all.extend(others);
            }
        }
        // An excerpt without the arguments does not say how keys and values are kept.
        if !self.says_arguments && !self.options.contains_key("kv_cache_dtype") {
            let short: Vec<SetUp> = all
                .iter()
                .map(|set_up| {
                    let fp8 = [("kv_cache_dtype", json!("fp8"))];
                    set_up.with(&fp8, "keys and values of 8 bits: the log does not say so, its figures do")
                })
                .collect();
            all.extend(short);
        }
        all
    }

    /// What a window's blocks were reserved for: batches of the size the log says, or of each default.
    fn batches(&self, given: &Given<'_>) -> Vec<SetUp> {
        const NAME: &str = "max_num_batched_tokens";
        let plain = SetUp::default();
        let of = |options: &serde_json::Map<String, Value>| options.get(NAME).and_then(Value::as_u64);
        let said = given.options.and_then(of).or_else(|| of(&self.options));
        let mut all = Vec::new();
        for batched in said.map_or_else(|| vec![8192, 2048, 16384], |said| vec![said]) {
            let two = match said {
                Some(_) => plain.clone(),
                None => plain.with(
                    &[(NAME, json!(batched))],
                    format!("{NAME} is not in the log; its figures are those of {batched}"),
                ),
            };
            let one = two.with(
                &[(NAME, json!(batched.div_ceil(2)))],
                "before 0.26 a window's blocks were reserved for one batch in flight, not two",
            );
            match self.before(26) {
                Some(true) => all.extend([one, two]),
                Some(false) => all.push(two),
                None => all.extend([two, one]),
            }
        }
        all
    }

    fn told(&self, model: &ModelSpec, tried: &Tried, set_up: SetUp) -> Reconciliation {
        let Tried { report, input, .. } = tried;
        let (blocks, figures) = match (tried.blocks, tried.nearest) {
            (Some(blocks), _) => (blocks, tried.formula.figures(&LogInput { num_blocks: blocks, ..*input })),
            (None, Some(nearest)) => nearest,
            (None, None) => (0, tried.formula.figures(input)),
        };
        Reconciliation {
            engine: EngineName::Vllm,
            program: None,
            version: self.version.clone(),
            modelled: EngineName::Vllm.modelled_version().unwrap_or_default(),
            model: model.name().to_owned(),
            request: tried.request.clone(),
            lines: self.lines(report, blocks, figures),
            notes: self.notes(tried, set_up),
        }
    }

    fn lines(&self, report: &Report, blocks: u64, figures: LogFigures) -> Vec<Line> {
        let mut lines = Vec::new();
        let compared = |figure: &str, printed: u64, planned: u64, unit: &str| {
            Line::compared(figure, format!("{printed}{unit}"), format!("{planned}{unit}"), printed == planned)
        };
        if let Some(printed) = self.block_size {
            lines.push(compared("block size", printed, report.block_size, ""));
        }
        lines.extend(self.memory().map(|memory| memory_line(memory, report, blocks)));
        if let Some(printed) = self.blocks {
            lines.push(compared("GPU blocks", printed, blocks, ""));
        }
        let pool = self.pool();
        if let Some(tokens) = pool.tokens {
            lines.push(compared("GPU KV cache size", tokens, figures.tokens, " tokens"));
        }
        if let Some(printed) = pool.concurrency {
            let printed = printed.shown("");
            let (printed, ours) = (printed.trim(), format!("{:.2}", figures.concurrency));
            let equal = printed == ours;
            lines.push(Line::compared(
                "maximum concurrency",
                format!("{printed}x"),
                format!("{ours}x"),
                equal,
            ));
        }
        if let Some(weights) = self.weights {
            lines.push(Line::not_planned("model weights", weights.shown("GiB")));
        }
        lines
    }

    fn notes(&self, tried: &Tried, set_up: SetUp) -> Vec<Cow<'static, str>> {
        let Tried { report, input, .. } = tried;
        let mut notes: Vec<Cow<'static, str>> = Vec::new();
        if let Some(blocks) = tried.blocks {
            notes.push(Cow::Owned(format!(
                "{blocks} blocks of {} bytes, {} of them a request of {} tokens",
                report.bytes_per_block, input.blocks_per_request, input.max_model_len
            )));
            notes.extend(set_up.why);
        }
        // Of one group, every version's figures are the same.
        if self.version.is_some() || input.groups > 1 {
            notes.push(Cow::Borrowed(match (tried.formula, self.version.is_some()) {
                (LogFormula::Tokens, true) => "this version prints blocks × block size as tokens",
                (LogFormula::PerGroup, true) => {
                    "this version prints blocks shared out over the groups × the smallest block as tokens"
                }
                (LogFormula::Concurrency, true) => {
                    "the tokens printed are concurrency × the longest request, not what blocks hold"
                }
                (LogFormula::Tokens, false) => {
                    "the log does not say its version: planned as up to 0.8, whose tokens are blocks × block size"
                }
                (LogFormula::PerGroup, false) => {
                    "the log does not say its version: planned as 0.9 to 0.20, whose tokens are blocks shared out over \
                     the groups × the smallest block"
                }
                (LogFormula::Concurrency, false) => {
                    "the log does not say its version: planned as 0.21 and later, whose tokens are concurrency × the \
                     longest request"
                }
            }));
        }
        if self.ranks_differ() {
            notes.push(Cow::Borrowed(
                "ranks found different memory; the least is compared, for every rank gets its blocks",
            ));
        }
        if self.cpu {
            notes.push(Cow::Borrowed("vLLM's CPU backend: its blocks are larger"));
        }
        notes
    }
}

fn memory_line(memory: Memory, report: &Report, blocks: u64) -> Line {
    let Memory { size, unit } = memory;
    let bytes = blocks.saturating_mul(report.bytes_per_block);
    let (low, high) = size.range(false);
    let rest = high.saturating_sub(bytes);
    let fills = bytes <= high && rest < report.bytes_per_block.saturating_add(high - low);
    let why = "memory that is less than a block is left over";
    Line::compared("KV cache memory", size.shown(unit), size.like(bytes, unit), size.holds(bytes))
        .because(fills.then_some(Cow::Borrowed(why)))
}

/// Whether these are the figures printed.
fn printed_by(pool: Pool, figures: LogFigures) -> bool {
    let concurrency =
        pool.concurrency.is_none_or(|printed| printed.shown("") == format!("{:.2} ", figures.concurrency));
    pool.tokens.is_none_or(|tokens| tokens == figures.tokens) && concurrency
}

/// Blocks that would hold the printed tokens.
const fn blocks_of_tokens(tokens: u64, input: &LogInput) -> (u64, u64) {
    let per_request = input.blocks_per_request;
    let length = if input.max_model_len == 0 { 1 } else { input.max_model_len };
    let size = if input.block_size == 0 { 1 } else { input.block_size };
    let by_request = (tokens / length).saturating_mul(per_request);
    let by_block = tokens / size;
    let (low, high) = if by_request < by_block { (by_request, by_block) } else { (by_block, by_request) };
    (low, high.saturating_add(per_request).saturating_mul(if input.groups == 0 { 1 } else { input.groups }))
}
