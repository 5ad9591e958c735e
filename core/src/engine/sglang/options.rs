//! SGLang's options under its own names.

use crate::codec::Codec;
use crate::engine::Scenario;
use crate::error::PlanError;
use crate::spec::ModelSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// `--kv-cache-dtype`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KvCacheDtype {
    /// The model's own type.
    #[default]
    Auto,
    /// bfloat16.
    Bf16,
    /// bfloat16.
    Bfloat16,
    /// FP8 E5M2.
    #[serde(rename = "fp8_e5m2")]
    Fp8E5m2,
    /// FP8 E4M3.
    #[serde(rename = "fp8_e4m3")]
    Fp8E4m3,
    /// E4M3 with a scale per 32 elements.
    Mxfp8,
    /// E2M1 with an E4M3 scale per 16 elements.
    Nvfp4,
    /// E2M1 with an E8M0 scale per 16 elements.
    #[serde(rename = "fp4_mx_block16")]
    Fp4MxBlock16,
}

/// SGLang's options; defaults are those of `sglang.launch_server` 0.5.23.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Tokens per page; 1 where absent, 64 for sparse latent attention.
    pub page_size: Option<u64>,
    /// The cache's type.
    pub kv_cache_dtype: Option<KvCacheDtype>,
    /// Tokens of the longest request.
    pub context_length: Option<u64>,
    /// Share of the GPU's memory for weights and pools; needs the GPU's size and the weights to become bytes.
    pub mem_fraction_static: Option<f64>,
    /// Ranks that share heads.
    pub tp_size: u64,
    /// Tokens of the sliding pool per token of the full pool.
    pub swa_full_tokens_ratio: f64,
    /// A pool of their own for sliding layers; by architecture where absent.
    pub hybrid_swa: Option<bool>,
    /// Bytes for all pools of a rank.
    pub kv_memory_bytes: Option<u64>,
    /// Slots of recurrent states, the one of padding not counted; a share of the memory where absent.
    pub max_mamba_cache_size: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            page_size: None,
            kv_cache_dtype: None,
            context_length: None,
            mem_fraction_static: None,
            tp_size: 1,
            swa_full_tokens_ratio: 0.8,
            hybrid_swa: None,
            kv_memory_bytes: None,
            max_mamba_cache_size: None,
        }
    }
}

/// The codec of keys and values: the option, else what the request's `cache` says, else the model's type.
pub(super) fn codec(
    options: &Options,
    model: &ModelSpec,
    scenario: &Scenario,
    sparse: bool,
    assumptions: &mut Vec<Cow<'static, str>>,
) -> Result<Codec, PlanError> {
    let asked = match options.kv_cache_dtype {
        Some(dtype) => dtype,
        None => asked(scenario)?,
    };
    Ok(match asked {
        KvCacheDtype::Auto if sparse => {
            assumptions.push(Cow::Borrowed(
                "kv_cache_dtype auto is bfloat16 for sparse latent attention on sm90, fp8_e4m3 from sm100: bfloat16 taken",
            ));
            Codec::Bf16
        }
        KvCacheDtype::Auto => match model.dtype() {
            Some(dtype) => dtype,
            None => {
                assumptions.push(Cow::Borrowed("the model's own type is not known: bfloat16 is assumed"));
                Codec::Bf16
            }
        },
        KvCacheDtype::Bf16 | KvCacheDtype::Bfloat16 => Codec::Bf16,
        KvCacheDtype::Fp8E5m2 => Codec::Fp8E5m2,
        KvCacheDtype::Fp8E4m3 => Codec::Fp8E4m3,
        KvCacheDtype::Mxfp8 => Codec::Mxfp8,
        KvCacheDtype::Nvfp4 => Codec::Nvfp4,
        KvCacheDtype::Fp4MxBlock16 => Codec::Fp4E2m1,
    })
}

/// The option a request's `cache` stands for.
fn asked(scenario: &Scenario) -> Result<KvCacheDtype, PlanError> {
    let one = |field: &str, codec: Option<Codec>| {
        let Some(codec) = codec else { return Ok(None) };
        let known = [
            (Codec::Bf16, KvCacheDtype::Bfloat16),
            // A model in half precision keeps its own type.
            (Codec::F16, KvCacheDtype::Auto),
            (Codec::Fp8E4m3, KvCacheDtype::Fp8E4m3),
            (Codec::Fp8E5m2, KvCacheDtype::Fp8E5m2),
            (Codec::Mxfp8, KvCacheDtype::Mxfp8),
            (Codec::Nvfp4, KvCacheDtype::Nvfp4),
            (Codec::Fp4E2m1, KvCacheDtype::Fp4MxBlock16),
        ];
        match known.iter().find(|(of, _)| *of == codec) {
            Some((_, dtype)) => Ok(Some(*dtype)),
            None => {
                let message = "SGLang keeps bf16, fp8_e4m3, fp8_e5m2, mxfp8, nvfp4 or fp4_e2m1";
                Err(PlanError::invalid(field, message).with_value(codec.name()))
            }
        }
    };
    match (one("cache.k", scenario.cache.k)?, one("cache.v", scenario.cache.v)?) {
        (Some(k), Some(v)) if k != v => {
            let name = scenario.cache.v.map_or("", Codec::name);
            Err(PlanError::invalid("cache.v", "SGLang keeps keys and values in one type").with_value(name))
        }
        (k, v) => Ok(k.or(v).unwrap_or_default()),
    }
}
