//! What a speed depends on.

use crate::engine::EngineName;
use crate::hardware::{Device, SpeedClass};

/// One decode step, and optionally a prompt, on some devices.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeedInputs {
    /// The devices and what each holds; more than one work in turn or together, as [`SpeedInputs::split`] says.
    pub parts: Vec<Part>,
    /// How equal devices share a part.
    pub split: Split,
    /// Which engine's measurements to use.
    pub engine: SpeedEngine,
    /// Which compute interface, where it is known.
    pub backend: Option<Backend>,
    /// How old the engine is.
    pub era: Era,
    /// Sequences decoded in one step.
    pub batch: u64,
    /// All of the batch continue one sequence, so that its cache is read once.
    pub shared_cache: bool,
    /// The cache is stored in fewer than 16 bits.
    pub quantized_cache: bool,
    /// Flash attention; `None` where the engine decides.
    pub flash_attention: Option<bool>,
    /// Parameters applied to each token: all but embedding rows, and of routed experts those used.
    pub active_parameters: u64,
    /// Catalogue id of the model, for what was measured of it.
    pub model: Option<String>,
    /// Weight format as the engine names it (`Q4_K_M`), for what was measured of it.
    pub format: Option<String>,
    /// A prompt to read, where prefill is asked for.
    pub prompt: Option<Prompt>,
    /// Bytes moved over a link or from a disk in every step.
    pub transfers: Vec<Transfer>,
    /// Figures to use instead of fitted ones.
    pub overrides: Overrides,
}

/// What one device, or several equal ones together, holds and reads in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The device.
    pub rates: Rates,
    /// How many equal ones; the bytes below are those of all of them.
    pub devices: u64,
    /// The weights.
    pub weights: WeightsRead,
    /// Cache of one sequence at this depth as 16-bit entries, bytes, windows applied.
    pub kv_bytes: u64,
    /// It keeps MLA latents.
    pub latent: bool,
    /// Recurrent state of one sequence, bytes; read and written in every step.
    pub state_bytes: u64,
    /// Layers.
    pub layers: u64,
}

/// Weights of a part, bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WeightsRead {
    /// Read in every step: all but embedding rows and routed experts.
    pub dense_bytes: u64,
    /// All routed experts.
    pub routed_bytes: u64,
    /// Routed experts of a layer; 0 for a dense model.
    pub experts: u64,
    /// Of them, used for one token.
    pub active_experts: u64,
}

impl WeightsRead {
    /// Bytes that a step of `batch` tokens reads: routed experts in the share the tokens touch, chosen independently.
    #[must_use]
    pub fn bytes_for(&self, batch: u64) -> f64 {
        let dense = super::real(self.dense_bytes);
        if self.experts == 0 {
            return dense;
        }
        let missed = 1.0 - super::real(self.active_experts) / super::real(self.experts);
        dense + super::real(self.routed_bytes) * (1.0 - missed.powf(super::real(batch)))
    }
}

/// The peaks of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    /// Catalogue id without its memory size, for what was measured of it.
    pub device: String,
    /// The group it was measured with.
    pub class: Option<SpeedClass>,
    /// Peak bandwidth, bytes per second.
    pub bandwidth: u64,
    /// Peak dense FP16 arithmetic at full width (FP16 accumulate), FLOP per second, where known.
    pub flops: Option<u64>,
}

impl Rates {
    /// The peaks of a device; `None` for one without a bandwidth.
    #[must_use]
    pub fn of(device: &Device) -> Option<Self> {
        let flops = device.record().flops;
        Some(Self {
            device: without_memory(device.id()).to_owned(),
            class: device.speed_class(),
            bandwidth: device.bandwidth()?,
            flops: flops.fp16_accumulate_fp16.or(flops.fp16),
        })
    }
}

/// `m2-ultra-192gb` as `m2-ultra`: memory sizes of one chip are equally fast.
fn without_memory(id: &str) -> &str {
    match id.rsplit_once('-') {
        Some((chip, size))
            if size.strip_suffix("gb").is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) =>
        {
            chip
        }
        _ => id,
    }
}

/// How equal devices share a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// One after the other, layers divided.
    #[default]
    Layer,
    /// Together, every tensor divided.
    Tensor,
}

/// Whose measurements.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::IntoStaticStr,
    strum::EnumString,
    strum::EnumIter,
)]
#[strum(serialize_all = "kebab-case")]
pub enum SpeedEngine {
    /// llama.cpp and what is built on it.
    #[strum(serialize = "llama.cpp")]
    LlamaCpp,
    /// The fork `ik_llama.cpp`.
    #[strum(serialize = "ik_llama.cpp")]
    IkLlamaCpp,
    /// vLLM and `SGLang`.
    Vllm,
    /// TensorRT-LLM.
    TensorrtLlm,
    /// mlx-lm.
    Mlx,
    /// mlx-vlm.
    MlxVlm,
    /// exllamav2 and 3.
    Exllama,
    /// Any other: the class's figures alone.
    Other,
}

impl From<EngineName> for SpeedEngine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::LlamaCpp => Self::LlamaCpp,
            EngineName::Vllm | EngineName::Sglang => Self::Vllm,
            EngineName::TensorRtLlm => Self::TensorrtLlm,
            EngineName::Mlx => Self::Mlx,
            EngineName::ExllamaV3 => Self::Exllama,
            EngineName::Payload | EngineName::Transformers => Self::Other,
        }
    }
}

/// Compute interface of AMD devices, which were measured to differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Backend {
    /// ROCm.
    Rocm,
    /// Vulkan.
    Vulkan,
}

/// How old the engine is: kernels improve, so measurements of different years are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, strum::IntoStaticStr)]
pub enum Era {
    /// Up to 2024.
    #[strum(serialize = "2024")]
    Y2024,
    /// 2025.
    #[strum(serialize = "2025")]
    Y2025,
    /// 2026, the newest measurements there are.
    #[default]
    #[strum(serialize = "2026")]
    Y2026,
}

/// A prompt to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prompt {
    /// Its tokens.
    pub tokens: u64,
    /// Tokens in the cache before it.
    pub depth: u64,
    /// Tokens computed at once.
    pub ubatch: u64,
    /// Query elements of every layer that attends to the whole cache: heads × `head_dim`, summed over those layers.
    pub attention_width: u64,
}

/// Bytes moved in a step beside what devices read of their own memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transfer {
    /// Over what.
    pub kind: TransferKind,
    /// How many.
    pub bytes: u64,
    /// Peak rate, bytes per second.
    pub bytes_per_s: u64,
}

/// Over what bytes are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferKind {
    /// PCIe, `NVLink`, a network.
    Link,
    /// A disk: streaming readers were measured at 0.5 to 1.4 GB/s whatever the disk.
    Disk,
}

/// Figures to use instead of fitted ones.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overrides {
    /// Fraction of peak bandwidth at which weights are read.
    pub weight_efficiency: Option<f64>,
    /// Fraction of peak bandwidth at which the cache is read.
    pub kv_efficiency: Option<f64>,
    /// Fraction of peak arithmetic reached.
    pub compute_efficiency: Option<f64>,
    /// Fixed cost of a layer, seconds.
    pub layer_seconds: Option<f64>,
}
