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
mod reservation;
mod scenario;
pub mod sglang;
mod sharing;
pub mod tensorrt_llm;
pub mod transformers;
pub mod vllm;

pub use reservation::{Carriers, Common, Growth, Pool, Report, Reservation, Room, StoreLine};
pub use scenario::{CacheTypes, Scenario};

use crate::cache::Knob;
use crate::codec::{Codec, CodecError};
use crate::error::PlanError;
use crate::spec::ModelSpec;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
