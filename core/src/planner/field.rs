//! The numbers a person can set, and where each stands in the request.

use super::action::Effect;
use super::beside;
use crate::cache::Knob;
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::plan::Request;
use crate::unit::{parse_bytes, parse_tokens};

/// A number of the request.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Field {
    /// Tokens per sequence.
    Context,
    /// Sequences resident at once.
    Sequences,
    /// Encoder or image tokens per sequence.
    EncoderTokens,
    /// Multi-token-prediction layers kept.
    Mtp,
    /// Bytes of other programs.
    InUse,
    /// Bytes to keep free.
    KeepFree,
    /// Tokens a sequence typically holds.
    TypicalContext,
    /// Tokens that 19 of 20 sequences stay below.
    P95Context,
    /// Tokens common to all sequences.
    SharedPrefix,
    /// Sequences to be served, by as many copies of the placement as that takes.
    Sessions,
    /// llama.cpp's `-ngl`.
    GpuLayers,
    /// llama.cpp's `--n-cpu-moe`.
    ExpertLayersOnHost,
    /// Tensor parallel ranks.
    TensorParallel,
    /// Pipeline stages.
    PipelineParallel,
    /// Data parallel replicas.
    DataParallel,
    /// Expert parallel ranks.
    ExpertParallel,
    /// Decode-context parallel ranks.
    DecodeContextParallel,
    /// Bytes of an image projector.
    Projector,
    /// Bytes of adapters.
    Adapters,
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Tokens: `128k` is 131,072.
    Tokens,
    /// Bytes: `24 GB`, `1.5 GiB`.
    Bytes,
    /// Things.
    Count,
}

impl Field {
    /// What it counts.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Context
            | Self::EncoderTokens
            | Self::TypicalContext
            | Self::P95Context
            | Self::SharedPrefix => Unit::Tokens,
            Self::InUse | Self::KeepFree | Self::Projector | Self::Adapters => Unit::Bytes,
            Self::Sequences
            | Self::Sessions
            | Self::Mtp
            | Self::GpuLayers
            | Self::ExpertLayersOnHost
            | Self::TensorParallel
            | Self::PipelineParallel
            | Self::DataParallel
            | Self::ExpertParallel
            | Self::DecodeContextParallel => Unit::Count,
        }
    }

    /// The name a person reads.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Sequences => "conversations",
            Self::EncoderTokens => "encoder tokens",
            Self::Mtp => "built-in draft layers",
            Self::InUse => "in use",
            Self::KeepFree => "keep free",
            Self::TypicalContext => "typical length",
            Self::P95Context => "19 of 20 below",
            Self::SharedPrefix => "shared prefix",
            Self::Sessions => "sessions to serve",
            Self::GpuLayers => "layers on the GPU",
            Self::ExpertLayersOnHost => "layers with experts in RAM",
            Self::TensorParallel => "tensor parallel",
            Self::PipelineParallel => "pipeline parallel",
            Self::DataParallel => "replicas",
            Self::ExpertParallel => "expert parallel",
            Self::DecodeContextParallel => "decode-context parallel",
            Self::Projector => "projector",
            Self::Adapters => "adapters",
        }
    }

    /// Reads what a person typed.
    ///
    /// # Errors
    /// `invalid`, naming the field and what is taken.
    pub fn parse(self, text: &str) -> Result<u64, PlanError> {
        let parsed = match self.unit() {
            Unit::Tokens => parse_tokens(text).map(crate::unit::Tokens::get),
            Unit::Count => parse_tokens(text).map(crate::unit::Tokens::get),
            Unit::Bytes => parse_bytes(text).map(crate::unit::Bytes::get),
        };
        parsed.map_err(|error| PlanError::invalid(self.to_string(), error.to_string()).with_value(text))
    }

    /// The number as set; `None` where the default holds.
    #[must_use]
    pub fn get(self, request: &Request) -> Option<u64> {
        let some_unless = |n: u64, default: u64| (n != default).then_some(n);
        match self {
            Self::Context => request.context,
            Self::Sequences => request.sequences,
            Self::EncoderTokens => request.encoder_tokens,
            Self::Mtp => some_unless(request.mtp, 0),
            Self::InUse => some_unless(request.reserve.in_use_bytes, 0),
            Self::KeepFree => some_unless(request.reserve.keep_free_bytes, 0),
            Self::TypicalContext => some_unless(request.workload.typical_context, 0),
            Self::SharedPrefix => some_unless(request.workload.shared_prefix, 0),
            Self::P95Context => some_unless(request.workload.p95_context, 0),
            Self::Sessions => some_unless(request.workload.sessions, 0),
            Self::GpuLayers | Self::ExpertLayersOnHost => {
                let engine = request.engine.as_ref().filter(|engine| engine.name == EngineName::LlamaCpp)?;
                engine.options.get(self.llama_cpp_option()?)?.as_u64()
            }
            Self::TensorParallel => some_unless(request.placement.tp, 1),
            Self::PipelineParallel => some_unless(request.placement.pp, 1),
            Self::DataParallel => some_unless(request.placement.dp, 1),
            Self::ExpertParallel => some_unless(request.placement.ep, 1),
            Self::DecodeContextParallel => some_unless(request.placement.dcp, 1),
            Self::Projector => some_unless(request.extras.as_ref()?.projector_bytes, 0),
            Self::Adapters => some_unless(request.extras.as_ref()?.lora_bytes, 0),
        }
    }

    /// Sets the number; `None` for the default.
    ///
    /// # Errors
    /// `invalid` where the engine has no such setting.
    pub fn set(self, request: &mut Request, to: Option<u64>) -> Result<(), PlanError> {
        match self {
            Self::Context => request.context = to,
            Self::Sequences => request.sequences = to,
            Self::EncoderTokens => request.encoder_tokens = to,
            Self::Mtp => request.mtp = to.unwrap_or(0),
            Self::InUse => request.reserve.in_use_bytes = to.unwrap_or(0),
            Self::KeepFree => request.reserve.keep_free_bytes = to.unwrap_or(0),
            Self::TypicalContext => request.workload.typical_context = to.unwrap_or(0),
            Self::P95Context => request.workload.p95_context = to.unwrap_or(0),
            Self::SharedPrefix => request.workload.shared_prefix = to.unwrap_or(0),
            Self::Sessions => request.workload.sessions = to.unwrap_or(0),
            Self::GpuLayers | Self::ExpertLayersOnHost => {
                let engine = request.engine.as_mut().filter(|engine| engine.name == EngineName::LlamaCpp);
                let (Some(engine), Some(option)) = (engine, self.llama_cpp_option()) else {
                    let message = "a setting of llama.cpp; choose that engine first";
                    return Err(PlanError::invalid(self.to_string(), message));
                };
                match to {
                    Some(n) => engine.options.insert(option.to_owned(), n.into()),
                    None => engine.options.remove(option),
                };
            }
            Self::TensorParallel => request.placement.tp = to.unwrap_or(1),
            Self::PipelineParallel => request.placement.pp = to.unwrap_or(1),
            Self::DataParallel => request.placement.dp = to.unwrap_or(1),
            Self::ExpertParallel => request.placement.ep = to.unwrap_or(1),
            Self::DecodeContextParallel => request.placement.dcp = to.unwrap_or(1),
            Self::Projector => beside::change(request, |extras| extras.projector_bytes = to.unwrap_or(0)),
            Self::Adapters => beside::change(request, |extras| extras.lora_bytes = to.unwrap_or(0)),
        }
        Ok(())
    }

    const fn llama_cpp_option(self) -> Option<&'static str> {
        match self {
            Self::GpuLayers => Some("n_gpu_layers"),
            Self::ExpertLayersOnHost => Some("n_cpu_moe"),
            Self::Context
            | Self::Sequences
            | Self::EncoderTokens
            | Self::Mtp
            | Self::InUse
            | Self::KeepFree
            | Self::TypicalContext
            | Self::P95Context
            | Self::SharedPrefix
            | Self::Sessions
            | Self::TensorParallel
            | Self::PipelineParallel
            | Self::DataParallel
            | Self::ExpertParallel
            | Self::DecodeContextParallel
            | Self::Projector
            | Self::Adapters => None,
        }
    }
}

/// Options of an engine that win over a number of the request, and would make a new number do nothing.
const fn shadows(engine: EngineName, field: Field) -> &'static [&'static str] {
    match (engine, field) {
        (EngineName::LlamaCpp, Field::Context) => &["n_ctx"],
        (EngineName::LlamaCpp, Field::Sequences) => &["n_seq_max"],
        (EngineName::Vllm, Field::Context) => &["max_model_len"],
        (EngineName::Vllm, Field::TensorParallel) => &["tensor_parallel_size"],
        (EngineName::Vllm, Field::PipelineParallel) => &["pipeline_parallel_size"],
        (EngineName::Vllm, Field::DecodeContextParallel) => &["decode_context_parallel_size"],
        (EngineName::Vllm, Field::Mtp) => &["num_speculative_tokens"],
        (EngineName::Sglang, Field::Context) => &["context_length"],
        (EngineName::Sglang, Field::TensorParallel) => &["tp_size"],
        (EngineName::Transformers, Field::Context) => &["prompt_tokens", "generated_tokens", "max_cache_len"],
        (EngineName::Mlx, Field::Context) => &["prompt_tokens", "generated_tokens"],
        (EngineName::ExllamaV3, Field::Context) => &["max_num_tokens"],
        (EngineName::ExllamaV3, Field::Sequences) => &["max_batch_size"],
        // No option of the engine stands for that number.
        (
            EngineName::Payload
            | EngineName::LlamaCpp
            | EngineName::Vllm
            | EngineName::Sglang
            | EngineName::TensorRtLlm
            | EngineName::Transformers
            | EngineName::Mlx
            | EngineName::ExllamaV3,
            _,
        ) => &[],
    }
}

/// Takes out what would keep `field` from mattering.
pub(super) fn unshadow(request: &mut Request, field: Field, effect: &mut Effect) {
    let Some(engine) = &mut request.engine else { return };
    // llama.cpp's `n_ctx` is the total: without it, a number of sequences means sequences of the request's context.
    let also: &[&str] = match (engine.name, field) {
        (EngineName::LlamaCpp, Field::Sequences) if request.context.is_some() => &["n_ctx"],
        _ => &[],
    };
    for option in shadows(engine.name, field).iter().chain(also) {
        if engine.options.remove(*option).is_some() {
            effect.dropped.push((*option).to_owned());
        }
    }
}

/// Takes out what would keep a codec from mattering.
pub(super) fn unshadow_codec(request: &mut Request, knob: Knob, effect: &mut Effect) {
    let Some(engine) = &mut request.engine else { return };
    let options: &[&str] = match (engine.name, knob) {
        (EngineName::LlamaCpp, Knob::K) => &["type_k"],
        (EngineName::LlamaCpp, Knob::V) => &["type_v"],
        (EngineName::Vllm | EngineName::Sglang, Knob::K | Knob::V) => &["kv_cache_dtype"],
        (EngineName::TensorRtLlm, Knob::K | Knob::V) => &["dtype"],
        (EngineName::ExllamaV3, Knob::K) => &["k_bits"],
        (EngineName::ExllamaV3, Knob::V) => &["v_bits"],
        (EngineName::Transformers, Knob::K | Knob::V) => &["nbits"],
        (EngineName::Mlx, Knob::K | Knob::V) => &["bits"],
        (
            EngineName::Payload
            | EngineName::LlamaCpp
            | EngineName::Vllm
            | EngineName::Sglang
            | EngineName::TensorRtLlm
            | EngineName::Transformers
            | EngineName::Mlx
            | EngineName::ExllamaV3,
            Knob::K | Knob::V | Knob::Indexer | Knob::State | Knob::Conv,
        ) => &[],
    };
    for option in options {
        if engine.options.remove(*option).is_some() {
            effect.dropped.push((*option).to_owned());
        }
    }
}
