//! llama.cpp's options, under its own names; defaults are the command line's.

use super::types::CacheType;
use crate::unit::parse_real;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `engine` may say beside `name` and `version` when it is llama.cpp. Absent: the command line's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Cells over all sequences (`-c`); 0: the trained length. Default: context × sequences.
    pub n_ctx: Option<u64>,
    /// Sequences (`-np`). Default: the request's.
    pub n_seq_max: Option<u64>,
    /// One buffer for all sequences (`-kvu`). Default off; llama-server without `-np` turns it on.
    #[serde(deserialize_with = "lenient::flag_given")]
    pub kv_unified: Option<bool>,
    /// Type of K (`-ctk`). Default: the request's `cache.k`, else f16.
    pub type_k: Option<CacheType>,
    /// Type of V (`-ctv`). Default: the request's `cache.v`, else f16.
    pub type_v: Option<CacheType>,
    /// Flash attention (`-fa`). Default auto.
    pub flash_attn: FlashAttn,
    /// Keep windowed layers in full (`--swa-full`). Default off (the C API's default is on).
    #[serde(deserialize_with = "lenient::flag")]
    pub swa_full: bool,
    /// Logical batch (`-b`). Default 2048.
    pub n_batch: Option<u64>,
    /// Physical batch (`-ub`). Default 512.
    pub n_ubatch: Option<u64>,
    /// Keep the cache with its layers' devices (`-nkvo` turns it off). Default on. Placement only.
    #[serde(deserialize_with = "lenient::flag_given")]
    pub offload_kqv: Option<bool>,
    /// Layers offloaded (`-ngl`), negative or `all`: all of them. Placement only.
    pub n_gpu_layers: Option<GpuLayers>,
    /// Shares of the devices (`-ts`). Placement only.
    pub tensor_split: Option<TensorSplit>,
    /// Layers whose experts stay on the CPU (`-ncmoe`). Weights only.
    pub n_cpu_moe: Option<u64>,
    /// `regex=buffer` pairs (`-ot`). Weights only.
    pub override_tensor: Option<Vec<Override>>,
    /// Rollback snapshots per recurrent state; only some architectures keep them. Default 0.
    pub n_rs_seq: u64,
    /// Hand out embeddings. Default off.
    #[serde(deserialize_with = "lenient::flag")]
    pub embeddings: bool,
    /// Most logits rows of one batch; 0: `n_batch`. Compute buffer only.
    pub n_outputs_max: u64,
    /// Which layers the context is for. Default: the trunk.
    #[serde(deserialize_with = "lenient::context_type")]
    pub ctx_type: ContextType,
}

/// `-fa`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FlashAttn {
    /// Always.
    On,
    /// Never.
    Off,
    /// Wherever the devices can.
    #[default]
    Auto,
}

/// The context's layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ContextType {
    /// The trunk.
    #[default]
    Default,
    /// The multi-token-prediction layers alone, for drafting.
    Mtp,
}

/// `-ngl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a number of layers (negative: all), `auto` or `all`")]
pub enum GpuLayers {
    /// That many; negative: all.
    Count(i64),
    /// `auto` or `all`.
    Word(GpuLayersWord),
}

/// The words `-ngl` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GpuLayersWord {
    /// As many as fit.
    Auto,
    /// All.
    All,
}

/// `-ts`: shares in device order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Shares", into = "Vec<f32>")]
#[schemars(with = "Shares")]
pub struct TensorSplit(Vec<f32>);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "shares as on the command line (`3,1`) or a list of numbers")]
enum Shares {
    /// As on the command line: `3,1` (`/` also separates).
    Text(String),
    List(Vec<f32>),
}

impl TensorSplit {
    /// The shares.
    #[must_use]
    pub fn shares(&self) -> &[f32] {
        &self.0
    }
}

impl TensorSplit {
    /// Shares that deal so many layers to each device, all layers and the output being offloaded: whole numbers stay
    /// exact in single precision, so every bound is met to the layer.
    pub(crate) fn of_layers(layers: &[u16]) -> Self {
        Self(layers.iter().map(|n| f32::from(*n)).collect())
    }
}

impl TryFrom<Shares> for TensorSplit {
    type Error = String;

    fn try_from(shares: Shares) -> Result<Self, String> {
        let shares = match shares {
            Shares::List(shares) => shares,
            Shares::Text(text) => text
                .split([',', '/'])
                .map(|share| single(share).ok_or_else(|| format!("`{share}` is no share")))
                .collect::<Result<_, _>>()?,
        };
        if shares.is_empty() || shares.iter().any(|share: &f32| !share.is_finite() || *share < 0.0) {
            return Err("shares are finite numbers of 0 or more, one a device".to_owned());
        }
        Ok(Self(shares))
    }
}

/// A share in single precision, as the engine reads it.
fn single(share: &str) -> Option<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "the engine keeps shares in single precision")]
    let single = parse_real(share.trim())? as f32;
    Some(single)
}

impl From<TensorSplit> for Vec<f32> {
    fn from(split: TensorSplit) -> Self {
        split.0
    }
}

/// One `regex=buffer` pair of `-ot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Override {
    pattern: String,
    buffer: String,
}

impl Override {
    /// The regular expression over tensor names, and the buffer type.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        (&self.pattern, &self.buffer)
    }
}

impl TryFrom<String> for Override {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('=') {
            Some((pattern, buffer)) if !pattern.is_empty() && !buffer.is_empty() => {
                Ok(Self { pattern: pattern.to_owned(), buffer: buffer.to_owned() })
            }
            Some(_) | None => Err(format!("`{text}` is not of the form regex=buffer")),
        }
    }
}

impl From<Override> for String {
    fn from(it: Override) -> Self {
        format!("{}={}", it.pattern, it.buffer)
    }
}

/// The C API's own spellings: flags as 0 and 1, the context type as its number.
mod lenient {
    use super::ContextType;
    use serde::{Deserialize, Deserializer};

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "true or false (or 1 or 0)")]
    enum Flag {
        Bool(bool),
        Number(u8),
    }

    pub(super) fn flag<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
        match Flag::deserialize(d)? {
            Flag::Bool(on) => Ok(on),
            Flag::Number(0) => Ok(false),
            Flag::Number(1) => Ok(true),
            Flag::Number(_) => Err(serde::de::Error::custom("true or false (or 1 or 0)")),
        }
    }

    pub(super) fn flag_given<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
        flag(d).map(Some)
    }

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`default` or `mtp` (or 0 or 1)")]
    enum Context {
        Named(ContextType),
        Number(u8),
    }

    pub(super) fn context_type<'de, D: Deserializer<'de>>(d: D) -> Result<ContextType, D::Error> {
        match Context::deserialize(d)? {
            Context::Named(kind) => Ok(kind),
            Context::Number(0) => Ok(ContextType::Default),
            Context::Number(1) => Ok(ContextType::Mtp),
            Context::Number(_) => Err(serde::de::Error::custom("`default` or `mtp` (or 0 or 1)")),
        }
    }
}

impl Options {
    /// Whether anything was asked that only moves bytes between devices.
    pub(crate) const fn asks_for_placement(&self) -> bool {
        self.offload_kqv.is_some()
            || self.n_gpu_layers.is_some()
            || self.tensor_split.is_some()
            || self.n_cpu_moe.is_some()
            || self.override_tensor.is_some()
    }
}
