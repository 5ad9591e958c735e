//! `--kv-cache-dtype`: the strings vLLM knows, and the layout each asks for.

use crate::codec::Codec;
use crate::error::PlanError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `--kv-cache-dtype`, as vLLM 0.33.0 spells it (`config/cache.py`).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum KvCacheDtype {
    /// The model's own type, unless the model forces another.
    #[default]
    Auto,
    /// IEEE binary16; must be the model's own type.
    Float16,
    /// bfloat16; must be the model's own type.
    Bfloat16,
    /// E4M3, one scale per tensor.
    Fp8,
    /// E4M3, one scale per tensor.
    #[serde(rename = "fp8_e4m3")]
    #[strum(serialize = "fp8_e4m3")]
    Fp8E4m3,
    /// E5M2, one scale per tensor.
    #[serde(rename = "fp8_e5m2")]
    #[strum(serialize = "fp8_e5m2")]
    Fp8E5m2,
    /// Intel Gaudi's FP8.
    Fp8Inc,
    /// DeepSeek's packed FP8 row (sparse MLA, and DeepSeek-V4's entries).
    Fp8DsMla,
    /// DeepSeek's packed NVFP4 row (sparse MLA).
    #[serde(rename = "nvfp4_ds_mla")]
    #[strum(serialize = "nvfp4_ds_mla")]
    Nvfp4DsMla,
    /// TurboQuant: FP8 keys, 4-bit values.
    #[serde(rename = "turboquant_k8v4")]
    #[strum(serialize = "turboquant_k8v4")]
    TurboquantK8v4,
    /// TurboQuant: 4 bits.
    #[serde(rename = "turboquant_4bit_nc")]
    #[strum(serialize = "turboquant_4bit_nc")]
    Turboquant4bitNc,
    /// TurboQuant: 3-bit keys, 4-bit values.
    #[serde(rename = "turboquant_k3v4_nc")]
    #[strum(serialize = "turboquant_k3v4_nc")]
    TurboquantK3v4Nc,
    /// TurboQuant: 3 bits.
    #[serde(rename = "turboquant_3bit_nc")]
    #[strum(serialize = "turboquant_3bit_nc")]
    Turboquant3bitNc,
    /// Octave (ROCm).
    #[serde(rename = "octave_k3v4")]
    #[strum(serialize = "octave_k3v4")]
    OctaveK3v4,
    /// Octave (ROCm).
    #[serde(rename = "octave_k3v3")]
    #[strum(serialize = "octave_k3v3")]
    OctaveK3v3,
    /// Octave (ROCm).
    #[serde(rename = "octave_k3v3_compact")]
    #[strum(serialize = "octave_k3v3_compact")]
    OctaveK3v3Compact,
    /// UltraQuant.
    #[serde(rename = "ultraquant_4bit")]
    #[strum(serialize = "ultraquant_4bit")]
    Ultraquant4bit,
    /// 4-bit integers, a scale per token and head.
    #[serde(rename = "int4_per_token_head")]
    #[strum(serialize = "int4_per_token_head")]
    Int4PerTokenHead,
    /// 8-bit integers, a scale per token and head.
    #[serde(rename = "int8_per_token_head")]
    #[strum(serialize = "int8_per_token_head")]
    Int8PerTokenHead,
    /// E4M3, a scale per token and head.
    #[serde(rename = "fp8_per_token_head")]
    #[strum(serialize = "fp8_per_token_head")]
    Fp8PerTokenHead,
    /// NVFP4.
    #[serde(rename = "nvfp4")]
    #[strum(serialize = "nvfp4")]
    Nvfp4,
    /// NVFP4 with a choice of two scales per block.
    #[serde(rename = "nvfp4_4over6")]
    #[strum(serialize = "nvfp4_4over6")]
    Nvfp44over6,
}

impl KvCacheDtype {
    /// vLLM's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The layout of one entry, `model` being the model's own type; `None` where vLLM has it only off CUDA.
    #[must_use]
    pub const fn codec(self, model: Codec) -> Option<Codec> {
        Some(match self {
            Self::Auto => model,
            Self::Float16 => Codec::F16,
            Self::Bfloat16 => Codec::Bf16,
            Self::Fp8 | Self::Fp8E4m3 => Codec::Fp8E4m3,
            Self::Fp8E5m2 => Codec::Fp8E5m2,
            Self::Fp8DsMla => Codec::Fp8DsMla,
            Self::Nvfp4DsMla => Codec::Nvfp4DsMla,
            Self::TurboquantK8v4 => Codec::TurboquantK8v4,
            Self::Turboquant4bitNc => Codec::Turboquant4bitNc,
            Self::TurboquantK3v4Nc => Codec::TurboquantK3v4Nc,
            Self::Turboquant3bitNc => Codec::Turboquant3bitNc,
            Self::Int4PerTokenHead => Codec::Int4PerTokenHead,
            Self::Int8PerTokenHead => Codec::Int8PerTokenHead,
            Self::Fp8PerTokenHead => Codec::Fp8PerTokenHead,
            Self::Nvfp4 => Codec::Nvfp4,
            Self::Nvfp44over6 => Codec::Nvfp4FourOverSix,
            Self::Fp8Inc
            | Self::OctaveK3v4
            | Self::OctaveK3v3
            | Self::OctaveK3v3Compact
            | Self::Ultraquant4bit => return None,
        })
    }

    /// Whether this is one of the TurboQuant formats.
    #[must_use]
    pub const fn is_turboquant(self) -> bool {
        matches!(
            self,
            Self::TurboquantK8v4 | Self::Turboquant4bitNc | Self::TurboquantK3v4Nc | Self::Turboquant3bitNc
        )
    }

    /// Whether K and V have scales of their own per token and head.
    #[must_use]
    pub const fn is_per_token_head(self) -> bool {
        matches!(self, Self::Int4PerTokenHead | Self::Int8PerTokenHead | Self::Fp8PerTokenHead)
    }

    /// Whether the cache keeps the model's own 16 bits.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        matches!(self, Self::Auto | Self::Float16 | Self::Bfloat16)
    }

    /// What a request's `cache` asks for, in vLLM's words.
    ///
    /// # Errors
    /// `invalid` where keys and values differ, or vLLM has no such format.
    pub fn from_cache(k: Option<Codec>, v: Option<Codec>) -> Result<Self, PlanError> {
        let (Some(asked), other) = (k.or(v), v.or(k)) else {
            return Ok(Self::Auto);
        };
        if Some(asked) != other {
            let message = "vLLM keeps keys and values in one type: cache.k and cache.v must agree";
            return Err(PlanError::invalid("cache.v", message).with_value(other.unwrap_or(asked).name()));
        }
        // 16-bit floats are the engine's default: a request that names one means "not quantized".
        if matches!(asked, Codec::F16 | Codec::Bf16) {
            return Ok(Self::Auto);
        }
        const NAMED: [KvCacheDtype; 13] = [
            KvCacheDtype::Fp8,
            KvCacheDtype::Fp8E5m2,
            KvCacheDtype::Fp8DsMla,
            KvCacheDtype::Nvfp4DsMla,
            KvCacheDtype::TurboquantK8v4,
            KvCacheDtype::Turboquant4bitNc,
            KvCacheDtype::TurboquantK3v4Nc,
            KvCacheDtype::Turboquant3bitNc,
            KvCacheDtype::Int4PerTokenHead,
            KvCacheDtype::Int8PerTokenHead,
            KvCacheDtype::Fp8PerTokenHead,
            KvCacheDtype::Nvfp4,
            KvCacheDtype::Nvfp44over6,
        ];
        // DeepSeek-V4's entry is asked for under the name of its family.
        let asked = if matches!(asked, Codec::Fp8DsV4) { Codec::Fp8DsMla } else { asked };
        NAMED.into_iter().find(|d| d.codec(Codec::Bf16) == Some(asked)).ok_or_else(|| {
            let names: Vec<&str> = NAMED.iter().map(|d| d.as_str()).collect();
            let message = format!(
                "vLLM has no cache type {}; it has the model's own type, {}",
                asked.name(),
                names.join(", ")
            );
            PlanError::invalid("cache.k", message).with_value(asked.name())
        })
    }
}

/// `--mamba-ssm-cache-dtype`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MambaDtype {
    /// What the model or its configuration asks for.
    #[default]
    Auto,
    /// IEEE binary32.
    Float32,
    /// IEEE binary16.
    Float16,
    /// bfloat16.
    Bfloat16,
}

impl MambaDtype {
    /// The type asked for, if one is.
    #[must_use]
    pub const fn codec(self) -> Option<Codec> {
        match self {
            Self::Auto => None,
            Self::Float32 => Some(Codec::F32),
            Self::Float16 => Some(Codec::F16),
            Self::Bfloat16 => Some(Codec::Bf16),
        }
    }
}
