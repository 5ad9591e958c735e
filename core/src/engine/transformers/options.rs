//! The options of transformers' cache classes, under their own names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which cache class is passed to `generate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CacheKind {
    /// `DynamicCache(config=…)`: grows token by token, sliding layers keep their window.
    #[default]
    Dynamic,
    /// `DynamicCache()`: every layer keeps every token.
    DynamicNoConfig,
    /// `StaticCache`: laid out for `max_cache_len` tokens at once.
    Static,
    /// `QuantizedCache`.
    Quantized,
}

/// Who packs a quantized cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// optimum-quanto.
    #[default]
    Quanto,
    /// HQQ.
    Hqq,
    /// E4M3 with one scale per tensor.
    Fp8,
}

/// transformers' options; defaults are those of `generate` and of the cache classes of 5.23.0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The cache class.
    pub cache: CacheKind,
    /// Who packs a quantized cache; quanto where absent.
    pub backend: Option<Backend>,
    /// Bits per element of a quantized cache; 4 where absent.
    pub nbits: Option<u64>,
    /// Elements per scale and shift; 64 where absent.
    pub q_group_size: Option<u64>,
    /// Generated tokens that gather in full precision before everything is packed again; 128 where absent.
    pub residual_length: Option<u64>,
    /// The axis of the groups: 0, or −1 for quanto and 1 for HQQ; 0 where absent.
    pub axis: Option<i64>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens generated after it.
    pub generated_tokens: Option<u64>,
    /// Tokens a static cache is laid out for; the context where absent.
    pub max_cache_len: Option<u64>,
}
