//! How fast a plan runs: what its places read in a step, at the rates of its devices.

use super::memo::Memo;
use super::request::Request;
use super::weights::WeightsRequest;
use crate::engine::llama_cpp::FlashAttn;
use crate::engine::{Engine, Reservation};
use crate::error::{ErrorKind, PlanError};
use crate::explain::Basis;
use crate::hardware::SpeedClass;
use crate::placement::{Bill, Case, Reads};
use crate::spec::ModelSpec;
use crate::speed::{Bound, Era, Overrides, Part, Prompt, Range, Rates, SpeedEngine, SpeedInputs, Split};
use crate::unit;
use crate::weights::{FileType, Packing, WeightFormat};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// How fast, as an estimate: see docs/speed.md for how far such estimates were off.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SpeedShown {
    /// Tokens of a prompt as long as the context read per second, one prompt at a time, the mean over it; absent where a
    /// device's arithmetic peak is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_tokens_per_s: Option<f64>,
    /// Where four fifths of measured prefill rates lie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_range: Option<RateRange>,
    /// Tokens generated per second by all sequences together, each at the context asked for.
    pub decode_tokens_per_s: f64,
    /// Where four fifths of measured decode rates lie.
    pub decode_range: RateRange,
    /// The same with nothing in the cache.
    pub decode_empty_tokens_per_s: f64,
    /// What decoding waits for.
    pub bound_by: Bound,
    /// What the prompt waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill_bound_by: Option<Bound>,
    /// Whether the devices themselves were measured, or only their kind.
    pub device_measured: bool,
    /// Date of the newest measurement behind it.
    pub date: String,
    /// How sure: always an estimate.
    pub basis: Basis,
}

/// Tenth and ninetieth percentile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct RateRange {
    /// Tenth percentile.
    pub p10: f64,
    /// Ninetieth percentile.
    pub p90: f64,
}

impl From<Range> for RateRange {
    fn from(range: Range) -> Self {
        Self { p10: rounded(range.p10), p90: rounded(range.p90) }
    }
}

/// Four digits: more than an estimate has, and the same ones on every platform.
fn rounded(rate: f64) -> f64 {
    unit::rounded(rate, 4)
}

/// Either a speed, or why there is none.
pub(super) enum Answer {
    Known(SpeedShown),
    /// Not asked for: no hardware or no weights.
    NotAsked,
    Unknown(Cow<'static, str>),
}

/// Tokens per second that a case decodes, all sequences together; `None` where that is not known, or the engine does
/// not start with it.
pub(crate) fn decode_rate(
    case: &Case<'_>,
    model: &ModelSpec,
    request: &Request,
    memo: &mut Memo,
) -> Result<Option<f64>, PlanError> {
    let reservation = match case.reserve() {
        Ok(reservation) => reservation,
        // Some engines abort on single numbers below one that they take.
        Err(error) if error.kind == ErrorKind::EngineRefuses => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(match speed(case, model, request, &reservation, &case.bill(&reservation)?, memo)? {
        Answer::Known(speed) => Some(speed.decode_tokens_per_s),
        Answer::NotAsked | Answer::Unknown(_) => None,
    })
}

/// The speed of a placed reservation.
pub(super) fn speed(
    case: &Case<'_>,
    model: &ModelSpec,
    request: &Request,
    reservation: &Reservation,
    bill: &Bill,
    memo: &mut Memo,
) -> Result<Answer, PlanError> {
    if !case.machine().is_given() || case.weights().is_none() {
        return Ok(Answer::NotAsked);
    }
    if let Engine::LlamaCpp(options) = case.engine()
        && options.override_tensor.is_some()
    {
        return Ok(Answer::Unknown(Cow::Borrowed(
            "no speed is estimated: which weights override_tensor moves is not known here",
        )));
    }
    let Some(reads) = case.reads(bill, reservation.context)? else {
        return Ok(Answer::Unknown(Cow::Borrowed(
            "no speed is estimated: what a token reads of this model's weights is not understood here",
        )));
    };
    let parts = match parts(case, &reads) {
        Ok(parts) => parts,
        Err(name) => {
            let why = format!("no speed is estimated: the bandwidth of {name} is not given");
            return Ok(Answer::Unknown(Cow::Owned(why)));
        }
    };
    let replicas = case.ranks().dp.max(1);
    let batch = match case.engine() {
        // Its sequences are those of all replicas.
        Engine::Payload => reservation.sequences.div_ceil(replicas),
        Engine::LlamaCpp(_)
        | Engine::Vllm(_)
        | Engine::Sglang(_)
        | Engine::TensorRtLlm(_)
        | Engine::Transformers(_)
        | Engine::Mlx(_)
        | Engine::ExllamaV3(_) => reservation.sequences,
    };
    let context = reservation.context.get();
    let mut inputs = SpeedInputs {
        parts,
        split: if case.ranks().tp > 1 { Split::Tensor } else { Split::Layer },
        engine: SpeedEngine::from(case.engine().name()),
        backend: None,
        era: Era::default(),
        batch: batch.max(1),
        shared_cache: false,
        quantized_cache: is_quantized(reservation),
        flash_attention: flash_attention(case.engine()),
        active_parameters: case.weights().and_then(|w| w.applied).map_or(0, |applied| applied.per_token()),
        model: (!model.id().is_empty()).then(|| model.id().to_owned()),
        format: request.weights.as_ref().map(WeightsRequest::format).transpose()?.flatten().map(measured_as),
        prompt: (context > 0).then(|| Prompt {
            tokens: context,
            depth: 0,
            ubatch: ubatch(case.engine()),
            attention_width: reads.iter().map(|r| r.attention_width).fold(0, u64::saturating_add),
        }),
        transfers: Vec::new(),
        overrides: Overrides::default(),
    };
    let efficiencies = memo.efficiencies(&inputs)?;
    let deep = efficiencies.estimate(&inputs)?;
    inputs.prompt = None;
    for part in &mut inputs.parts {
        part.kv_bytes = 0;
    }
    let empty = efficiencies.estimate(&inputs)?;
    let all = |rate: f64| rounded(rate * crate::speed::real(replicas));
    let range = |range: Range| RateRange { p10: all(range.p10), p90: all(range.p90) };
    Ok(Answer::Known(SpeedShown {
        prefill_tokens_per_s: deep.prefill_tokens_per_s.map(|r| rounded(r.median)),
        prefill_range: deep.prefill_tokens_per_s.map(RateRange::from),
        decode_tokens_per_s: all(deep.decode_tokens_per_s.median),
        decode_range: range(deep.decode_tokens_per_s),
        decode_empty_tokens_per_s: all(empty.decode_tokens_per_s.median),
        bound_by: deep.decode_bound_by,
        prefill_bound_by: deep.prefill_bound_by,
        device_measured: deep.device_measured,
        date: deep.date,
        basis: Basis::Derived,
    }))
}

/// The parts of a step, equal devices that work in turn as one; the name of the first device without a bandwidth.
fn parts(case: &Case<'_>, reads: &[Reads]) -> Result<Vec<Part>, String> {
    let mut parts: Vec<Part> = Vec::with_capacity(reads.len());
    for reads in reads {
        let rates = rates(case, reads.place).ok_or_else(|| case.place_name(reads.place))?;
        let part = Part {
            rates,
            devices: reads.devices,
            weights: reads.weights,
            kv_bytes: reads.kv_bytes,
            latent: reads.latent,
            state_bytes: reads.state_bytes,
            layers: reads.layers,
        };
        match parts.iter_mut().find(|known| reads.devices == 1 && known.rates == part.rates) {
            Some(known) => {
                known.devices = known.devices.saturating_add(1);
                known.weights.dense_bytes =
                    known.weights.dense_bytes.saturating_add(part.weights.dense_bytes);
                known.weights.routed_bytes =
                    known.weights.routed_bytes.saturating_add(part.weights.routed_bytes);
                known.kv_bytes = known.kv_bytes.saturating_add(part.kv_bytes);
                known.state_bytes = known.state_bytes.saturating_add(part.state_bytes);
                known.layers = known.layers.saturating_add(part.layers);
                known.latent |= part.latent;
            }
            None => parts.push(part),
        }
    }
    Ok(parts)
}

fn rates(case: &Case<'_>, place: usize) -> Option<Rates> {
    match case.machine().devices.get(place) {
        Some(slot) => Rates::of(&slot.device),
        None => {
            let host = case.machine().host.as_ref()?;
            // A processor's arithmetic is not catalogued: no prompt is estimated on it.
            Rates::of(&host.device).map(|rates| Rates { class: Some(SpeedClass::Cpu), flops: None, ..rates })
        }
    }
}

/// Whether any cache takes fewer than 16 bits an element.
fn is_quantized(reservation: &Reservation) -> bool {
    reservation.lines.iter().filter(|line| line.role.knob_is_cache()).any(|line| {
        let entries = u128::from(line.layers) * u128::from(line.entries.get()) * u128::from(line.sequences);
        let elements = entries.saturating_mul(u128::from(line.heads) * u128::from(line.dim));
        u128::from(line.payload.get()) < elements.saturating_mul(2)
    })
}

/// What the measurements call a format.
fn measured_as(format: WeightFormat) -> String {
    match format {
        WeightFormat::Gguf(FileType::Mxfp4Moe) => "MXFP4".to_owned(),
        WeightFormat::Gguf(FileType::F16) => "F16".to_owned(),
        WeightFormat::Gguf(FileType::Bf16) => "BF16".to_owned(),
        WeightFormat::Gguf(file) => file.name().to_owned(),
        WeightFormat::Plain(_) => "FP16/BF16".to_owned(),
        WeightFormat::Packed(Packing::Fp8Tensor | Packing::Fp8Channel | Packing::Fp8Block) => {
            "FP8".to_owned()
        }
        WeightFormat::Packed(Packing::Awq { .. }) => "awq-int4".to_owned(),
        WeightFormat::Packed(Packing::Nvfp4) => "NVFP4".to_owned(),
        WeightFormat::Packed(Packing::Mxfp4 | Packing::Mxfp4Experts) => "mxfp4".to_owned(),
        WeightFormat::Packed(Packing::Mlx { bits, .. }) => format!("MLX {bits}bit"),
        WeightFormat::Packed(
            Packing::Int8Channel | Packing::Gptq { .. } | Packing::IntSymmetric { .. } | Packing::Nf4 { .. },
        ) => format.name(),
    }
}

fn flash_attention(engine: &Engine) -> Option<bool> {
    match engine {
        Engine::LlamaCpp(options) => match options.flash_attn {
            FlashAttn::On => Some(true),
            FlashAttn::Off => Some(false),
            FlashAttn::Auto => None,
        },
        Engine::Payload
        | Engine::Vllm(_)
        | Engine::Sglang(_)
        | Engine::TensorRtLlm(_)
        | Engine::Transformers(_)
        | Engine::Mlx(_)
        | Engine::ExllamaV3(_) => None,
    }
}

/// Prompt tokens computed at once; what the fit took for engines other than llama.cpp.
fn ubatch(engine: &Engine) -> u64 {
    match engine {
        Engine::LlamaCpp(options) => options.n_ubatch.unwrap_or(512).max(1),
        Engine::Payload
        | Engine::Vllm(_)
        | Engine::Sglang(_)
        | Engine::TensorRtLlm(_)
        | Engine::Transformers(_)
        | Engine::Mlx(_)
        | Engine::ExllamaV3(_) => 2048,
    }
}
