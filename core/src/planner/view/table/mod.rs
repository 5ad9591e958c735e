//! Alternatives: what else could be asked, and what it would come to. Every cell is a request that can be taken.
//!
//! One file a lens: `weights`, `engines`, `devices`, `methods`; `cell` makes the cells they share.

mod cell;
mod devices;
mod engines;
mod methods;
mod weights;

use crate::codec::Codec;
use crate::engine::EngineName;
use crate::plan::Request;
use crate::planner::state::{Lens, View};
use crate::spec::ModelSpec;

pub(super) use cell::take_context;
pub(super) use devices::{POOL_OPTIONS, RANK_OPTIONS};
pub use weights::formats;

/// How a cell stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It does not.
    Plain,
    /// The model's own limit: more memory would not help.
    Limit,
    /// It fits by less than what is estimated.
    Barely,
    /// It does not fit, at any length or at this one.
    Over,
    /// The engine refuses, or it is not modelled; the reason says why.
    Refused,
}

impl Mark {
    /// The sign after the figure.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Limit => "=",
            Self::Barely => "!",
            Self::Plain | Self::Over | Self::Refused => "",
        }
    }
}

/// One alternative.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The figure, or a word.
    pub text: String,
    /// How it stands out.
    pub mark: Mark,
    /// What to ask for it; nothing where it cannot be had.
    pub request: Option<Box<Request>>,
    /// Whether it is what is set now.
    pub current: bool,
    /// Why it cannot be had.
    pub reason: Option<String>,
}

/// A row of alternatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it varies.
    pub label: String,
    /// What is known of it beside its cells: the weights' size.
    pub detail: String,
    /// One a column.
    pub cells: Vec<Cell>,
}

/// The table.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What the figures are: `LARGEST CONTEXT`.
    pub title: &'static str,
    /// What the rows vary: `weights`.
    pub rows_are: &'static str,
    /// The columns' names.
    pub columns: Vec<String>,
    /// In order.
    pub rows: Vec<Row>,
    /// Figures under the columns that are no alternatives, and what they are: a codec's measured quality.
    pub quality: Option<Vec<String>>,
    /// What has to be said of the figures.
    pub caption: Option<String>,
}

/// The table of a lens, for a request on a model.
#[must_use]
pub fn table(model: &ModelSpec, request: &Request, view: View) -> Table {
    match view.lens {
        Lens::Weights => weights::table(model, request, view),
        Lens::Engines => engines::table(model, request, view),
        Lens::Devices => devices::table(model, request),
        Lens::Methods => methods::table(model, request, view),
    }
}

/// Cache types an engine offers, the plainest first: K and V alike.
#[must_use]
pub const fn cache_types(engine: EngineName) -> &'static [&'static str] {
    match engine {
        EngineName::LlamaCpp => &["f16", "q8_0", "q5_1", "q4_0"],
        EngineName::Vllm => &["bf16", "fp8_e4m3", "int8_per_token_head", "nvfp4"],
        EngineName::Sglang => &["bf16", "fp8_e4m3", "fp8_e5m2"],
        EngineName::TensorRtLlm => &["bf16", "fp8_e4m3", "nvfp4"],
        EngineName::Payload => &["f16", "q8_0", "q4_0", "kivi2"],
        EngineName::Transformers | EngineName::Mlx | EngineName::ExllamaV3 => &["f16"],
    }
}

/// The engine that a request names.
pub(super) fn engine_name(request: &Request) -> EngineName {
    request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name)
}

/// The request with that codec for keys and values, whatever the engine's own options say of them.
pub(super) fn with_cache(request: &Request, codec: &str) -> Request {
    let mut other = Request { explain: false, ..request.clone() };
    // What is in that codec by the engine's own default is left unsaid.
    if codec_is(request, codec) {
        return other;
    }
    other.cache.kv = Some(codec.to_owned());
    (other.cache.k, other.cache.v) = (None, None);
    if let Some(engine) = &mut other.engine {
        for option in CODEC_OPTIONS {
            engine.options.remove(*option);
        }
    }
    other
}

/// Options of engines that choose a codec and would win over the request's.
const CODEC_OPTIONS: &[&str] = &["type_k", "type_v", "kv_cache_dtype"];

/// Whether a request's keys and values are in that codec; nothing said is the engine's plainest.
fn codec_is(request: &Request, codec: &str) -> bool {
    let cache = &request.cache;
    let option = |name: &str| {
        let engine = request.engine.as_ref()?;
        engine.options.get(name).and_then(|value| value.as_str()).map(str::to_owned)
    };
    let default = cache_types(engine_name(request)).first().copied().unwrap_or_default();
    let is = |own: &Option<String>, set: &str| {
        let said = option(set).or_else(|| option("kv_cache_dtype")).or_else(|| own.clone());
        let said = said.or_else(|| cache.kv.clone());
        let name = said.as_deref().filter(|name| *name != "auto").unwrap_or(default);
        Codec::parse(name).map_or(name == codec, |known| known.name() == codec)
    };
    is(&cache.k, "type_k") && is(&cache.v, "type_v")
}

/// What the columns' codecs were measured to cost, and what that is; nothing where too few were measured.
fn quality(codecs: &[&str]) -> (Option<Vec<String>>, Option<String>) {
    let figures: Vec<Option<String>> = codecs
        .iter()
        .map(|name| Codec::parse(name).and_then(Codec::measured).and_then(|row| row.kl).map(divergence))
        .collect();
    if figures.iter().flatten().count() < 2 {
        return (None, None);
    }
    let caption = format!(
        "quality: KL divergence, less is better, on {}: order, not size, carries over",
        crate::codec::measured::MODEL
    );
    (
        Some(figures.into_iter().map(|figure| figure.unwrap_or_else(|| "–".to_owned())).collect()),
        Some(caption),
    )
}

/// What is so of every cache type of a row is said once.
fn alike(mut cells: Vec<Cell>) -> Vec<Cell> {
    let first = cells.first().and_then(|cell| cell.reason.clone());
    if first.is_some() && cells.iter().all(|cell| cell.reason == first) {
        cells.truncate(1);
        for cell in &mut cells {
            cell.text = match cell.mark {
                Mark::Refused => "not modelled".to_owned(),
                Mark::Plain | Mark::Limit | Mark::Barely | Mark::Over => "no".to_owned(),
            };
        }
    }
    cells
}

/// A codec's name where a row of them has to fit: `e4m3`, `int8`.
pub(super) fn brief(codec: &str) -> &str {
    match codec.strip_prefix("fp8_") {
        Some(form) if form.starts_with('e') => form,
        Some(_) | None => codec.split("_per_").next().unwrap_or(codec),
    }
}

/// A divergence as it is read: `exact`, `.0002`.
pub(super) fn divergence(kl: f64) -> String {
    if kl == 0.0 { "exact".to_owned() } else { format!("{kl:.4}").trim_start_matches('0').to_owned() }
}
