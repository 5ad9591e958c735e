//! MLX-LM's options, under the names of its caches and of `generate`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which cache attention layers get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheKind {
    /// `KVCache`: all tokens in the model's type.
    #[default]
    Kv,
    /// `QuantizedKVCache` (`--kv-bits`).
    Quantized,
    /// `RotatingKVCache` (`--max-kv-size`).
    Rotating,
}

/// MLX-LM's options; defaults are those of `mlx_lm.generate` 0.32.2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// The cache of layers that attend to all tokens.
    pub cache: CacheKind,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens generated after it.
    pub generated_tokens: Option<u64>,
    /// Prompt tokens read at once.
    pub prefill_step_size: u64,
    /// Bits of a quantized cache: 2, 3, 4, 5, 6 or 8 (8 where absent, the class's own default).
    pub bits: Option<u64>,
    /// Elements per scale and bias: 32, 64 or 128 (64 where absent).
    pub group_size: Option<u64>,
    /// Tokens a rotating cache holds.
    pub max_size: Option<u64>,
    /// First tokens a rotating cache never overwrites (4 where absent, as `--max-kv-size` has it).
    pub keep: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache: CacheKind::default(),
            prompt_tokens: None,
            generated_tokens: None,
            prefill_step_size: 2048,
            bits: None,
            group_size: None,
            max_size: None,
            keep: None,
        }
    }
}
