//! Engines: what each reserves for the entries it is told to keep, what it refuses, and the figures it prints.
//!
//! One module an engine. Each offers its options (a type parsed from the request, under the engine's own names) and
//! one function from options, [`ModelSpec`] and [`Scenario`] to a [`Reservation`]. [`payload`] is the engine that
//! wastes nothing and the yardstick for the others' waste.
//!
//! To add an engine:
//!
//! 1. A module with `Options` (strict: `deny_unknown_fields`, defaults of the engine's command line), a function
//!    `reserve`, and one `static` [`Rule`] per reason that its lines cite.
//! 2. A variant of [`EngineName`] and of [`Engine`]; where the engine prints figures, one of [`Report`] too. The build
//!    then breaks in every place that has to think about it.
//! 3. Lines carry what the tokens need beside what is reserved. An engine whose rows are not the model's own stores
//!    says how they grow ([`Growth`]); the rest (totals, roles, waste, explanations) follows.
//! 4. Its recorded figures in `tests/data/truth`, and a test that asks for every one through the request line.

pub mod exllamav3;
mod ledger;
pub mod llama_cpp;
pub mod lmcache;
pub mod mlx;
pub mod payload;
pub mod sglang;
mod sharing;
pub mod tensorrt_llm;
pub mod transformers;
pub mod vllm;

use crate::cache::{Knob, Role};
use crate::codec::{Codec, CodecError};
use crate::error::PlanError;
use crate::explain::{Basis, Rule, Term};
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Overflow, Tokens};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// The engines a request can name.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum EngineName {
    /// The ideal engine: what the tokens need, nothing else.
    #[default]
    #[serde(rename = "payload")]
    #[strum(serialize = "payload")]
    Payload,
    /// llama.cpp, and what is built on its server (Ollama, LM Studio).
    #[serde(rename = "llama.cpp")]
    #[strum(serialize = "llama.cpp")]
    LlamaCpp,
    /// vLLM.
    #[serde(rename = "vllm")]
    #[strum(serialize = "vllm")]
    Vllm,
    /// SGLang.
    #[serde(rename = "sglang")]
    #[strum(serialize = "sglang")]
    Sglang,
    /// TensorRT-LLM.
    #[serde(rename = "tensorrt-llm")]
    #[strum(serialize = "tensorrt-llm")]
    TensorRtLlm,
    /// Hugging Face transformers.
    #[serde(rename = "transformers")]
    #[strum(serialize = "transformers")]
    Transformers,
    /// MLX-LM.
    #[serde(rename = "mlx")]
    #[strum(serialize = "mlx")]
    Mlx,
    /// ExLlamaV3.
    #[serde(rename = "exllamav3")]
    #[strum(serialize = "exllamav3")]
    ExllamaV3,
}

impl EngineName {
    /// The engine's name in requests and plans.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The version whose rules are modelled; `None` for the ideal engine.
    #[must_use]
    pub const fn modelled_version(self) -> Option<&'static str> {
        match self {
            Self::LlamaCpp => Some("0c1e57098"),
            Self::Vllm => Some("0.33.0"),
            Self::Transformers => Some("5.23.0"),
            Self::Mlx => Some("0.32.2"),
            Self::ExllamaV3 => Some("1.4.1"),
            Self::Sglang => Some("0.5.23"),
            Self::TensorRtLlm => Some("main@001541bad83b"),
            Self::Payload => None,
        }
    }
}

impl EngineName {
    /// Whether it gives its cache pool whatever weights and buffers leave of a device, so that nothing stays free.
    #[must_use]
    pub const fn fills_its_device(self) -> bool {
        match self {
            Self::Vllm | Self::Sglang | Self::TensorRtLlm => true,
            Self::Payload | Self::LlamaCpp | Self::Transformers | Self::Mlx | Self::ExllamaV3 => false,
        }
    }

    /// Whether requests for it are answered.
    #[must_use]
    pub const fn is_modelled(self) -> bool {
        match self {
            Self::Payload
            | Self::LlamaCpp
            | Self::Vllm
            | Self::Transformers
            | Self::Mlx
            | Self::ExllamaV3
            | Self::Sglang
            | Self::TensorRtLlm => true,
        }
    }

    /// JSON Schema of its options, where it is modelled; the types they mention go to the generator's definitions.
    pub fn options_schema(self, generator: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
        match self {
            Self::Payload => Some(payload::Options::json_schema(generator)),
            Self::LlamaCpp => Some(llama_cpp::Options::json_schema(generator)),
            Self::Vllm => Some(vllm::Options::json_schema(generator)),
            Self::Transformers => Some(transformers::Options::json_schema(generator)),
            Self::Mlx => Some(mlx::Options::json_schema(generator)),
            Self::ExllamaV3 => Some(exllamav3::Options::json_schema(generator)),
            Self::Sglang => Some(sglang::Options::json_schema(generator)),
            Self::TensorRtLlm => Some(tensorrt_llm::Options::json_schema(generator)),
        }
    }
}

/// An engine with its options, parsed.
#[derive(Debug, Clone, PartialEq)]
pub enum Engine {
    /// The ideal engine.
    Payload,
    /// llama.cpp.
    LlamaCpp(Box<llama_cpp::Options>),
    /// vLLM.
    Vllm(Box<vllm::Options>),
    /// Hugging Face transformers.
    Transformers(transformers::Options),
    /// MLX-LM.
    Mlx(mlx::Options),
    /// ExLlamaV3.
    ExllamaV3(exllamav3::Options),
    /// SGLang.
    Sglang(Box<sglang::Options>),
    /// TensorRT-LLM.
    TensorRtLlm(Box<tensorrt_llm::Options>),
}

impl Engine {
    /// Parses an engine's options.
    ///
    /// # Errors
    /// `unsupported` for an engine or version that is not modelled, `invalid` for an unknown or malformed option.
    pub fn parse(
        name: EngineName,
        version: Option<&str>,
        options: Map<String, Value>,
    ) -> Result<Self, PlanError> {
        if let Some(version) = version
            && name.modelled_version().is_some_and(|v| v != version)
        {
            let modelled = name.modelled_version().unwrap_or_default();
            let message = format!("{name} {version} is not modelled; {modelled} is");
            return Err(PlanError::unsupported("engine.version", message).with_value(version));
        }
        match name {
            EngineName::Payload => options_of::<payload::Options>(options).map(|_| Self::Payload),
            EngineName::LlamaCpp => options_of(options).map(|options| Self::LlamaCpp(Box::new(options))),
            EngineName::Vllm => options_of(options).map(|options| Self::Vllm(Box::new(options))),
            EngineName::Transformers => options_of(options).map(Self::Transformers),
            EngineName::Mlx => options_of(options).map(Self::Mlx),
            EngineName::ExllamaV3 => options_of(options).map(Self::ExllamaV3),
            EngineName::Sglang => options_of(options).map(|options| Self::Sglang(Box::new(options))),
            EngineName::TensorRtLlm => {
                options_of(options).map(|options| Self::TensorRtLlm(Box::new(options)))
            }
        }
    }

    /// Which engine this is.
    #[must_use]
    pub const fn name(&self) -> EngineName {
        match self {
            Self::Payload => EngineName::Payload,
            Self::LlamaCpp(_) => EngineName::LlamaCpp,
            Self::Vllm(_) => EngineName::Vllm,
            Self::Transformers(_) => EngineName::Transformers,
            Self::Mlx(_) => EngineName::Mlx,
            Self::ExllamaV3(_) => EngineName::ExllamaV3,
            Self::Sglang(_) => EngineName::Sglang,
            Self::TensorRtLlm(_) => EngineName::TensorRtLlm,
        }
    }

    /// What the engine reserves for `scenario`.
    ///
    /// # Errors
    /// Whatever the engine cannot answer or itself refuses.
    pub fn reserve(&self, model: &ModelSpec, scenario: &Scenario) -> Result<Reservation, PlanError> {
        match self {
            Self::Payload => payload::reserve(model, scenario),
            Self::LlamaCpp(options) => llama_cpp::reserve(model, scenario, options),
            Self::Vllm(options) => vllm::reserve(model, scenario, options),
            Self::Transformers(options) => transformers::reserve(model, scenario, options),
            Self::Mlx(options) => mlx::reserve(model, scenario, options),
            Self::ExllamaV3(options) => exllamav3::reserve(model, scenario, options),
            Self::Sglang(options) => sglang::reserve(model, scenario, options),
            Self::TensorRtLlm(options) => tensorrt_llm::reserve(model, scenario, options),
        }
    }
}

impl Engine {
    /// Drops the options that fix how long a sequence is, so that the scenario's context does.
    pub(crate) fn forget_length(&mut self) {
        match self {
            Self::Payload | Self::TensorRtLlm(_) => {}
            Self::LlamaCpp(options) => options.n_ctx = None,
            Self::Vllm(options) => options.max_model_len = None,
            Self::Transformers(options) => options.prompt_tokens = None,
            Self::Mlx(options) => options.prompt_tokens = None,
            Self::ExllamaV3(options) => options.max_num_tokens = None,
            Self::Sglang(options) => options.context_length = None,
        }
    }
}

impl Engine {
    /// Drops the options that fix how many sequences there are, so that the scenario's number does. Limits stay: the
    /// engine's pool, and how many it runs at once.
    pub(crate) fn forget_sequences(&mut self) {
        match self {
            Self::LlamaCpp(options) => options.n_seq_max = None,
            Self::Payload
            | Self::Vllm(_)
            | Self::Transformers(_)
            | Self::Mlx(_)
            | Self::ExllamaV3(_)
            | Self::Sglang(_)
            | Self::TensorRtLlm(_) => {}
        }
    }
}

/// An engine's options from the request's leftover fields.
fn options_of<T: DeserializeOwned + Default>(options: Map<String, Value>) -> Result<T, PlanError> {
    if options.is_empty() {
        return Ok(T::default());
    }
    crate::read::value("engine", &Value::Object(options))
}

/// What is asked of an engine, already parsed: tokens, sequences and codecs. `None` means "the engine's own default".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// Tokens per sequence, prompt and generated.
    pub context: Option<Tokens>,
    /// Sequences resident at once.
    pub sequences: Option<u64>,
    /// Encoder (or image) tokens per sequence.
    pub encoder_tokens: Tokens,
    /// Codecs asked for.
    pub cache: CacheTypes,
    /// Multi-token-prediction layers kept in the cache.
    pub mtp: u64,
    /// A draft model whose layers keep their cache in the model's own pool.
    pub draft: Option<Arc<ModelSpec>>,
    /// Tokens at the start of every sequence that are the same in all of them.
    pub shared: Tokens,
    /// Build the tree of terms.
    pub explain: bool,
}

/// The codecs a request names, one per knob.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheTypes {
    /// Keys and latent rows.
    pub k: Option<Codec>,
    /// Values.
    pub v: Option<Codec>,
    /// Indexer keys.
    pub indexer: Option<Codec>,
    /// Recurrent states.
    pub state: Option<Codec>,
    /// Convolution states.
    pub conv: Option<Codec>,
}

impl CacheTypes {
    /// The codec asked for under `knob`.
    #[must_use]
    pub const fn get(&self, knob: Knob) -> Option<Codec> {
        match knob {
            Knob::K => self.k,
            Knob::V => self.v,
            Knob::Indexer => self.indexer,
            Knob::State => self.state,
            Knob::Conv => self.conv,
        }
    }
}

/// Which of a model's layers a line stands for: what placement needs to know beside how many they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Carriers {
    /// Layers of several kinds, or not known by kind: spread evenly over all.
    #[default]
    Any,
    /// The layers of one of [`ModelSpec::kinds`].
    Kind(u16),
    /// The layers without mixers.
    Empty,
}

/// One line of an answer: what equal stores of equal layers need and what the engine reserves for them.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreLine {
    /// The cache this belongs to, in the engine's words (`full`, `swa`, `recurrent`, …).
    pub cache: &'static str,
    /// What is stored.
    pub role: Role,
    /// Layers of this kind.
    pub layers: u64,
    /// Which of the model's layers they are.
    pub carriers: Carriers,
    /// Vectors per entry.
    pub heads: u64,
    /// Elements per vector.
    pub dim: u64,
    /// Entries one sequence needs in one layer.
    pub entries: Tokens,
    /// Sequences.
    pub sequences: u64,
    /// The codec the engine stores them in.
    pub codec: Codec,
    /// What the tokens need.
    pub payload: Bytes,
    /// What the engine reserves.
    pub allocated: Bytes,
    /// Why.
    pub rule: &'static Rule,
    /// How sure.
    pub basis: Basis,
}

/// What an engine reserves.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reservation {
    /// Context per sequence, resolved.
    pub context: Tokens,
    /// Sequences, resolved.
    pub sequences: u64,
    /// Line by line. Lines whose engine shares one pool carry their share; the pool's own figures are in `pool`.
    pub lines: Vec<StoreLine>,
    /// The total and its unused part where the engine reserves a fixed pool.
    pub pool: Option<Pool>,
    /// How many sequences of this length could be resident, where something but memory says so.
    pub room: Room,
    /// What the sequences keep once and what each takes beside it, where the engine keeps equal beginnings once.
    pub common: Option<Common>,
    /// Bytes reserved for no store in particular (a null block, a padding page): counted as allocated and as waste.
    pub overhead: Bytes,
    /// The figures this engine itself prints, under its own names.
    pub report: Report,
    /// Growth of the payload of one sequence, where the engine's share of the model is not the whole of it.
    pub growth: Option<Growth>,
    /// Bytes reserved on one rank of each pipeline stage, where there are several; the lines are the first one's.
    pub stages: Vec<Bytes>,
    /// What was assumed on the way.
    pub assumptions: Vec<Cow<'static, str>>,
    /// The engine's own steps (cells, padding, groups), when the scenario asks for an explanation.
    pub terms: Vec<Term>,
}

impl Reservation {
    /// All that is reserved: the pool where there is one, else the lines and what belongs to none of them.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn allocated(&self) -> Result<Bytes, Overflow> {
        match self.pool {
            Some(pool) => Ok(pool.total),
            None => self.lines.iter().try_fold(self.overhead, |sum, line| sum.plus(line.allocated)),
        }
    }
}

/// The figures an engine itself prints, under its own names: one variant an engine, serialised as its content.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Report {
    /// It prints none.
    #[default]
    None,
    /// llama.cpp's.
    LlamaCpp(Box<llama_cpp::Report>),
    /// vLLM's.
    Vllm(Box<vllm::Report>),
    /// SGLang's.
    Sglang(sglang::Report),
    /// TensorRT-LLM's.
    TensorRtLlm(tensorrt_llm::Report),
}

impl Report {
    /// Whether there is nothing to show.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        match self {
            Self::None => true,
            Self::LlamaCpp(_) | Self::Vllm(_) | Self::Sglang(_) | Self::TensorRtLlm(_) => false,
        }
    }
}

/// How the payload of one sequence grows from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Bytes more…
    pub bytes: Bytes,
    /// … after so many more tokens, a whole period of strides and codec blocks.
    pub tokens: u64,
}

/// Sequences that can be resident at once, whatever was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// What a pool of fixed size holds at this length; `None` where the pool grows with what is asked.
    pub pool: Option<u64>,
    /// What the engine runs at once by its own options; `None` where they do not say.
    pub slots: Option<u64>,
    /// What that pool holds while one prompt is read and all others only generate, where that is more.
    pub settled: Option<u64>,
}

/// What sequences that begin with the same tokens keep once, and what each takes beside it: in the engine's own
/// figures, which are one rank's where it shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// Tokens at the start that are kept once.
    pub tokens: u64,
    /// Bytes kept once for all sequences.
    pub once: Bytes,
    /// Bytes one more sequence takes.
    pub each: Bytes,
}

/// A pool of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// All of it.
    pub total: Bytes,
    /// What the requested sequences leave unused.
    pub free: Bytes,
}

/// A codec that cannot hold what it is asked to is the request's mistake, under the knob that chose it.
pub(crate) fn codec_error(knob: Knob, codec: Codec, error: &CodecError) -> PlanError {
    let field = match knob {
        Knob::K => "cache.k",
        Knob::V => "cache.v",
        Knob::Indexer => "cache.indexer",
        Knob::State => "cache.state",
        Knob::Conv => "cache.conv",
    };
    match error {
        CodecError::Overflow(overflow) => PlanError::from(*overflow),
        CodecError::Indivisible { .. } | CodecError::Width { .. } | CodecError::TokenGroup { .. } => {
            PlanError::invalid(field, error.to_string()).with_value(codec.name())
        }
    }
}
