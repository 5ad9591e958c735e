//! The hyper-parameters that decide a cache, with llama.cpp's defaults (`llama_model_base::load_hparams`).

use super::arch::{Arch, Memory, Pattern, RecurrentLayers, Sharing, Width, Windows};
use super::metadata::{Metadata, PerLayer};
use crate::error::PlanError;

/// A file's keys, read under its architecture's prefix.
pub(super) struct Keys<'a> {
    meta: &'a Metadata,
    prefix: &'a str,
}

impl<'a> Keys<'a> {
    pub(super) const fn new(meta: &'a Metadata, prefix: &'a str) -> Self {
        Self { meta, prefix }
    }

    pub(super) fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.prefix)
    }

    pub(super) fn need(&self, key: &str) -> Result<u64, PlanError> {
        Ok(self.meta.u64(&self.name(key))?)
    }

    pub(super) fn opt(&self, key: &str) -> Result<Option<u64>, PlanError> {
        Ok(self.meta.opt_u64(&self.name(key))?)
    }

    pub(super) fn opt_bool(&self, key: &str) -> Result<Option<bool>, PlanError> {
        Ok(self.meta.opt_bool(&self.name(key))?)
    }

    /// One value a layer, where the key is there.
    pub(super) fn per_layer(&self, key: &str, layers: u64) -> Result<Option<Vec<u64>>, PlanError> {
        let name = self.name(key);
        let found = self.meta.opt_u64_or_array(&name)?;
        Ok(found.map(|values| values.expand(&name, layers)).transpose()?)
    }

    pub(super) fn opt_u64_or_array(&self, key: &str) -> Result<Option<PerLayer>, PlanError> {
        Ok(self.meta.opt_u64_or_array(&self.name(key))?)
    }
}

/// Head dims and heads, layer by layer.
pub(super) struct Attention {
    /// Query heads of layer 0.
    pub(super) heads: u64,
    pub(super) kv_heads: Vec<u64>,
    k_dim: u64,
    v_dim: u64,
    k_dim_swa: u64,
    v_dim_swa: u64,
}

impl Attention {
    pub(super) fn read(keys: &Keys<'_>, arch: &Arch, layers: u64, hidden: u64) -> Result<Self, PlanError> {
        let headless = arch.memory == Memory::Encoder
            || arch.recurrent.is_some_and(|r| r.layers == RecurrentLayers::All);
        let heads = match keys.per_layer("attention.head_count", layers)? {
            Some(heads) => heads,
            None if headless => vec![0; usize::try_from(layers).unwrap_or_default()],
            None => {
                keys.need("attention.head_count")?;
                Vec::new()
            }
        };
        let kv_heads = keys.per_layer("attention.head_count_kv", layers)?.unwrap_or_else(|| heads.clone());
        let first = heads.first().copied().unwrap_or_default();
        // llama.cpp derives the head dims from layer 0 alone: without heads there, the keys are not looked at.
        let (k_dim, v_dim) = match hidden.checked_div(first) {
            None => (0, 0),
            Some(even) => (
                keys.opt("attention.key_length")?.unwrap_or(even),
                keys.opt("attention.value_length")?.unwrap_or(even),
            ),
        };
        Ok(Self {
            heads: first,
            kv_heads,
            k_dim,
            v_dim,
            k_dim_swa: keys.opt("attention.key_length_swa")?.unwrap_or(k_dim),
            v_dim_swa: keys.opt("attention.value_length_swa")?.unwrap_or(v_dim),
        })
    }

    pub(super) const fn dims(&self, windowed: bool) -> (u64, u64) {
        if windowed { (self.k_dim_swa, self.v_dim_swa) } else { (self.k_dim, self.v_dim) }
    }
}

/// The window, and which layers have it.
pub(super) struct Swa {
    /// Tokens; 0: no layer is windowed.
    pub(super) window: u64,
    pub(super) chunked: bool,
    /// The architecture does not read the key: the window is the publisher's alone.
    pub(super) ignored: bool,
    layers: Vec<bool>,
}

impl Swa {
    pub(super) fn read(keys: &Keys<'_>, arch: &Arch, blocks: u64, trunk: u64) -> Result<Self, PlanError> {
        const KEY: &str = "attention.sliding_window";
        let none = Self { window: 0, chunked: false, ignored: false, layers: Vec::new() };
        let all = |trunk: u64| (0..trunk).map(|_| true).collect();
        let (pattern, width, chunked) = match arch.windows {
            Windows::Ignored { on_every_layer } => {
                let window = keys.opt(KEY)?.filter(|_| on_every_layer).unwrap_or_default();
                return Ok(Self { window, ignored: true, layers: all(trunk), ..none });
            }
            Windows::Layers { .. } if !arch.honours_windows(blocks) => return Ok(none),
            Windows::Layers { pattern, width, chunked, .. } => (pattern, width, chunked),
        };
        let window = match width {
            Width::Required => keys.need(KEY)?,
            Width::Optional => keys.opt(KEY)?.unwrap_or_default(),
            Width::Default(window) => keys.opt(KEY)?.unwrap_or(window),
            Width::Forced(window) => {
                if keys.opt(KEY)? == Some(0) {
                    0
                } else {
                    window
                }
            }
            Width::ForcedIfSet(window) => {
                if keys.opt(KEY)?.unwrap_or_default() > 0 {
                    window
                } else {
                    0
                }
            }
        };
        if window == 0 {
            return match width {
                Width::Required | Width::Default(_) => {
                    let message =
                        format!("{} layers of architecture {} need a positive window", KEY, arch.name);
                    Err(PlanError::invalid(keys.name(KEY), message).with_value(0))
                }
                Width::Optional | Width::Forced(_) | Width::ForcedIfSet(_) => Ok(none),
            };
        }
        let layers = match pattern {
            Pattern::All => all(trunk),
            Pattern::Every { period, dense_first } => {
                Self::pattern(keys, trunk, Some((period, dense_first)), blocks)?
            }
            Pattern::Array => Self::pattern(keys, trunk, None, blocks)?,
        };
        Ok(Self { window, chunked, layers, ..none })
    }

    /// `load_swa_pattern`: an array wins, a scalar replaces the period; layers past the array are dense.
    fn pattern(
        keys: &Keys<'_>,
        trunk: u64,
        default: Option<(u64, bool)>,
        blocks: u64,
    ) -> Result<Vec<bool>, PlanError> {
        const KEY: &str = "attention.sliding_window_pattern";
        let (period, dense_first) = match (keys.opt_u64_or_array(KEY)?, default) {
            (Some(PerLayer::Each(layers)), _) => {
                let found = u64::try_from(layers.len()).unwrap_or(u64::MAX);
                if found > blocks {
                    let message = format!("{KEY} has {found} entries for {blocks} layers");
                    return Err(PlanError::invalid(keys.name(KEY), message).with_value(found));
                }
                return Ok(layers.into_iter().map(|windowed| windowed != 0).collect());
            }
            (Some(PerLayer::Same(period)), Some((_, dense_first))) => (period, dense_first),
            (None, Some(default)) => default,
            (Some(PerLayer::Same(period)), None) => {
                let message = format!("this architecture needs {KEY} as an array, one entry a layer");
                return Err(PlanError::invalid(keys.name(KEY), message).with_value(period));
            }
            (None, None) => {
                let message = format!("the GGUF metadata has no {}", keys.name(KEY));
                return Err(PlanError::missing(keys.name(KEY), message));
            }
        };
        Ok((0..trunk)
            .map(|layer| match layer.checked_rem(period) {
                None => true,
                Some(at) if dense_first => at != 0,
                Some(at) => at + 1 < period,
            })
            .collect())
    }

    pub(super) fn is_windowed(&self, layer: usize) -> bool {
        self.window > 0 && self.layers.get(layer).copied().unwrap_or(false)
    }
}

/// Which layers are recurrent, and which keep nothing.
pub(super) fn recurrent_layers(
    keys: &Keys<'_>,
    arch: &Arch,
    kv_heads: &[u64],
    blocks: u64,
    trunk: u64,
) -> Result<Vec<bool>, PlanError> {
    const KEY: &str = "attention.recurrent_layers";
    let trunk_heads = kv_heads.iter().take(usize::try_from(trunk).unwrap_or(usize::MAX));
    Ok(match arch.recurrent.map(|r| r.layers) {
        None => trunk_heads.map(|_| false).collect(),
        Some(RecurrentLayers::All | RecurrentLayers::Beside) => trunk_heads.map(|_| true).collect(),
        Some(RecurrentLayers::WithoutKvHeads) => trunk_heads.map(|heads| *heads == 0).collect(),
        Some(RecurrentLayers::WithoutKvHeadsOrFeedForward) => {
            let width = feed_forward(keys, blocks)?;
            trunk_heads.zip(width).map(|(heads, width)| *heads == 0 && width == 0).collect()
        }
        Some(RecurrentLayers::Interval(default)) => match keys.per_layer(KEY, blocks)? {
            Some(layers) => layers.into_iter().map(|recurrent| recurrent != 0).collect(),
            None => {
                let interval = keys.opt("full_attention_interval")?.unwrap_or(default);
                if interval == 0 {
                    let name = keys.name("full_attention_interval");
                    return Err(PlanError::invalid(name, "the interval must be positive").with_value(0));
                }
                (1..=trunk).map(|layer| !layer.is_multiple_of(interval)).collect()
            }
        },
    })
}

/// Feed-forward widths, layer by layer.
pub(super) fn feed_forward(keys: &Keys<'_>, blocks: u64) -> Result<Vec<u64>, PlanError> {
    match keys.per_layer("feed_forward_length", blocks)? {
        Some(widths) => Ok(widths),
        None => keys.need("feed_forward_length").map(|_| Vec::new()),
    }
}

/// The first layer that owns no cache of its own.
pub(super) fn owners(keys: &Keys<'_>, arch: &Arch, trunk: u64) -> Result<u64, PlanError> {
    Ok(match arch.sharing {
        Sharing::None => trunk,
        Sharing::From(layer) => layer.min(trunk),
        Sharing::Key => {
            let shared = keys.opt("attention.shared_kv_layers")?.unwrap_or_default();
            trunk.checked_sub(shared).filter(|owners| *owners > 0 || shared == 0).ok_or_else(|| {
                let message = format!("{shared} of {trunk} layers cannot share the others' cache");
                PlanError::invalid(keys.name("attention.shared_kv_layers"), message).with_value(shared)
            })?
        }
    })
}

/// Whether attention is causal.
pub(super) fn causal(keys: &Keys<'_>, arch: &Arch) -> Result<bool, PlanError> {
    let default = match arch.memory {
        Memory::Kept => true,
        Memory::Encoder | Memory::Diffusion => false,
    };
    Ok(keys.opt_bool("attention.causal")?.unwrap_or(default))
}
