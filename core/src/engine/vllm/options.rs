//! vLLM's options under its own names, and what they come to for a model.

use super::backend::Platform;
use super::dtype::{KvCacheDtype, MambaDtype};
use crate::codec::Codec;
use crate::engine::Scenario;
use crate::error::PlanError;
use crate::spec::ModelSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// vLLM's options; defaults are those of `vllm serve` 0.33.0 on a GPU of 70 GiB or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The GPU, by compute capability; it decides attention backends and so block sizes.
    pub platform: Platform,
    /// Tokens per block; the backend's own where absent.
    pub block_size: Option<u64>,
    /// The cache's type.
    pub kv_cache_dtype: Option<KvCacheDtype>,
    /// Tokens of the longest request; -1 fits it to the pool.
    pub max_model_len: Option<i64>,
    /// Requests running at once.
    pub max_num_seqs: u64,
    /// Tokens scheduled per step.
    pub max_num_batched_tokens: u64,
    /// Ranks that share heads.
    pub tensor_parallel_size: u64,
    /// Stages that share layers.
    pub pipeline_parallel_size: u64,
    /// Ranks that share the tokens of full layers.
    pub decode_context_parallel_size: u64,
    /// Share of the GPU's memory vLLM may use; needs the GPU's size and the weights to become bytes.
    pub gpu_memory_utilization: f64,
    /// Bytes of the pool, per GPU.
    pub kv_cache_memory_bytes: Option<u64>,
    /// Blocks of the pool, whatever the memory.
    pub num_gpu_blocks_override: Option<u64>,
    /// The type of recurrent states.
    pub mamba_ssm_cache_dtype: MambaDtype,
    /// Reuse the blocks of equal prefixes.
    pub enable_prefix_caching: bool,
    /// Keep every token in window and chunk layers too.
    pub disable_hybrid_kv_cache_manager: bool,
    /// Drafted tokens per step.
    pub num_speculative_tokens: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            platform: Platform::default(),
            block_size: None,
            kv_cache_dtype: None,
            max_model_len: None,
            max_num_seqs: 1024,
            max_num_batched_tokens: 8192,
            tensor_parallel_size: 1,
            pipeline_parallel_size: 1,
            decode_context_parallel_size: 1,
            gpu_memory_utilization: 0.92,
            kv_cache_memory_bytes: None,
            num_gpu_blocks_override: None,
            mamba_ssm_cache_dtype: MambaDtype::Auto,
            enable_prefix_caching: true,
            disable_hybrid_kv_cache_manager: false,
            num_speculative_tokens: 0,
        }
    }
}

/// What the options come to for one model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup<'a> {
    pub options: &'a Options,
    pub model: &'a ModelSpec,
    /// The model's own type.
    pub dtype: Codec,
    /// The cache's type, before a backend has its say.
    pub kv: KvCacheDtype,
    pub tp: u64,
    pub pp: u64,
    pub dcp: u64,
    /// Drafted tokens per step.
    pub drafted: u64,
    /// Multi-token-prediction layers kept in the cache.
    pub mtp: u64,
    /// Tokens of the longest request.
    pub context: u64,
}

impl<'a> Setup<'a> {
    pub(super) fn new(
        options: &'a Options,
        model: &'a ModelSpec,
        scenario: &Scenario,
        assumptions: &mut Vec<Cow<'static, str>>,
    ) -> Result<Self, PlanError> {
        let positive = [
            ("block_size", options.block_size),
            ("max_num_seqs", Some(options.max_num_seqs)),
            ("max_num_batched_tokens", Some(options.max_num_batched_tokens)),
            ("tensor_parallel_size", Some(options.tensor_parallel_size)),
            ("pipeline_parallel_size", Some(options.pipeline_parallel_size)),
            ("decode_context_parallel_size", Some(options.decode_context_parallel_size)),
            ("num_gpu_blocks_override", options.num_gpu_blocks_override),
        ];
        if let Some((name, _)) = positive.into_iter().find(|(_, value)| *value == Some(0)) {
            let message = format!("`{name}` must be positive");
            return Err(PlanError::invalid(format!("engine.{name}"), message).with_value(0));
        }
        let share = options.gpu_memory_utilization;
        if !(share > 0.0 && share <= 1.0) {
            let message = "`gpu_memory_utilization` is a share of the memory, above 0 and at most 1";
            return Err(PlanError::invalid("engine.gpu_memory_utilization", message).with_value(share));
        }
        let dtype = match model.dtype() {
            // vLLM never runs a 32-bit checkpoint in 32 bits unless told to (`--dtype`).
            Some(Codec::F32) => {
                assumptions.push(Cow::Borrowed(
                    "the checkpoint is float32; vLLM's --dtype auto runs it in bfloat16",
                ));
                Codec::Bf16
            }
            Some(dtype) => dtype,
            None => {
                assumptions.push(Cow::Borrowed("the model's own type is not known: bfloat16 is assumed"));
                Codec::Bf16
            }
        };
        let setup = Self {
            options,
            model,
            dtype,
            kv: cache_dtype(options, model, scenario, dtype)?,
            tp: options.tensor_parallel_size,
            pp: options.pipeline_parallel_size,
            dcp: options.decode_context_parallel_size,
            drafted: options.num_speculative_tokens,
            mtp: scenario.mtp,
            context: context(options, model, scenario)?,
        };
        setup.check_ranks()?;
        Ok(setup)
    }

    /// The same engine's view of a draft model: cut as the model is, whole on its last stage.
    pub(super) fn of_draft(&self, draft: &'a ModelSpec, scenario: &Scenario) -> Result<Self, PlanError> {
        let dtype = draft.dtype().filter(|dtype| *dtype != Codec::F32).unwrap_or(Codec::Bf16);
        let kv = cache_dtype(self.options, draft, scenario, dtype)?;
        let setup = Self { model: draft, dtype, kv, pp: 1, mtp: 0, ..*self };
        if kv.is_turboquant() || self.kv.is_turboquant() {
            let message = "which layers TurboQuant leaves alone beside a draft model is not modelled";
            return Err(PlanError::unsupported("engine.kv_cache_dtype", message).with_value(kv.as_str()));
        }
        setup.check_ranks()?;
        Ok(setup)
    }

    /// Whether recurrent states are kept at block boundaries (`mamba_cache_mode` align) or once a request (none).
    pub(super) const fn aligned_states(&self) -> bool {
        self.options.enable_prefix_caching
    }

    fn check_ranks(&self) -> Result<(), PlanError> {
        let Self { tp, dcp, .. } = *self;
        if let Some(heads) = self.model.record().heads
            && !heads.is_multiple_of(tp)
        {
            let message = format!(
                "Total number of attention heads ({heads}) must be divisible by tensor parallel size ({tp})."
            );
            return Err(PlanError::refused("engine.tensor_parallel_size", message).with_value(tp));
        }
        if !tp.is_multiple_of(dcp) {
            let message = format!("tp_size={tp} must be divisible by dcp_size={dcp}.");
            return Err(PlanError::refused("engine.decode_context_parallel_size", message).with_value(dcp));
        }
        let layers = self.model.layer_count();
        if usize::try_from(self.pp).is_ok_and(|pp| pp > layers) || u16::try_from(self.pp).is_err() {
            let message = format!("{} stages cannot share {layers} layers", self.pp);
            return Err(PlanError::invalid("engine.pipeline_parallel_size", message).with_value(self.pp));
        }
        Ok(())
    }

    /// KV heads on a rank: shared out, or replicated where there are more ranks than heads.
    pub(super) fn heads_per_rank(&self, heads: u64) -> Result<u64, PlanError> {
        let tp = self.tp;
        let shared = if heads >= tp { heads.is_multiple_of(tp) } else { tp.is_multiple_of(heads.max(1)) };
        if !shared {
            let message = format!("{heads} KV heads cannot be shared or replicated evenly over {tp} ranks");
            return Err(PlanError::refused("engine.tensor_parallel_size", message).with_value(tp));
        }
        Ok((heads / tp).max(1))
    }

    /// `whole` shared over tensor-parallel ranks, as the state shapes are.
    pub(super) fn share(&self, whole: u64) -> Result<u64, PlanError> {
        if !whole.is_multiple_of(self.tp) {
            let message = format!("{whole} is not divisible by {}", self.tp);
            return Err(PlanError::refused("engine.tensor_parallel_size", message).with_value(self.tp));
        }
        Ok(whole / self.tp)
    }

    /// Whether the model's family is one of these (`model_type`, a `_text` suffix aside).
    pub(super) fn is_family(&self, names: &[&str]) -> bool {
        self.model.family().is_some_and(|f| names.contains(&f.strip_suffix("_text").unwrap_or(f)))
    }
}

/// The length that vLLM derives (trained, and scaled as the file says), where `context` is above it.
pub(super) fn longer_than_trained(model: &ModelSpec, context: u64) -> Option<u64> {
    model.scaled_context().map(crate::unit::Tokens::get).filter(|trained| context > *trained)
}

/// Tokens of the longest request: the option, else the request's own; -1 is the trained length, to be fitted.
fn context(options: &Options, model: &ModelSpec, scenario: &Scenario) -> Result<u64, PlanError> {
    let field = "engine.max_model_len";
    let context = match options.max_model_len {
        Some(-1) => model.scaled_context().ok_or_else(|| {
            PlanError::missing(field, "-1 starts from the trained length, which is not known for this model")
        })?,
        Some(asked) => match u64::try_from(asked) {
            Ok(asked) => crate::unit::Tokens::new(asked),
            Err(_) => {
                let message = "`max_model_len` is a number of tokens, or -1 to fit the pool";
                return Err(PlanError::invalid(field, message).with_value(asked));
            }
        },
        None => scenario.context.ok_or_else(|| {
            PlanError::missing(
                "context",
                "how many tokens does a sequence hold? `context` or `max_model_len` is needed",
            )
        })?,
    };
    if context.get() == 0 {
        return Err(PlanError::invalid("context", "vLLM serves requests of at least one token").with_value(0));
    }
    if let Some(trained) = longer_than_trained(model, context.get())
        // A context is a question, answered with a note; `max_model_len` is a flag, and vLLM does not start with it.
        && options.max_model_len.is_some()
    {
        let asked = context.get();
        let message = format!(
            "User-specified max_model_len ({asked}) is greater than the derived max_model_len \
             (max_position_embeddings={trained} or model_max_length=None in model's config.json). To allow overriding \
             this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1."
        );
        return Err(PlanError::refused(field, message).with_value(asked));
    }
    Ok(context.get())
}

/// The cache's type: the option, else what `cache` asks for; checked against the model.
fn cache_dtype(
    options: &Options,
    model: &ModelSpec,
    scenario: &Scenario,
    dtype: Codec,
) -> Result<KvCacheDtype, PlanError> {
    let asked = match options.kv_cache_dtype {
        Some(asked) => asked,
        None => KvCacheDtype::from_cache(scenario.cache.k, scenario.cache.v)?,
    };
    let family = model.family().unwrap_or_default();
    // DeepSeek-V3.2 spells its own 16 bits `bfloat16`; GLM's sparse models default to FP8 on Blackwell.
    let asked = match (asked, family) {
        (KvCacheDtype::Bfloat16, "deepseek_v32") => KvCacheDtype::Auto,
        (KvCacheDtype::Auto, "glm_moe_dsa")
            if options.platform.family() == super::backend::Family::Blackwell =>
        {
            KvCacheDtype::Fp8E4m3
        }
        (asked, _) => asked,
    };
    let wrong =
        matches!((asked, dtype), (KvCacheDtype::Float16, Codec::Bf16) | (KvCacheDtype::Bfloat16, Codec::F16));
    if wrong {
        let message =
            format!("an explicit {} cache must match the model's own type, {}", asked.as_str(), dtype.name());
        return Err(PlanError::refused("engine.kv_cache_dtype", message).with_value(asked.as_str()));
    }
    Ok(asked)
}
