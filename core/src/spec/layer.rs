//! What a layer can be made of: mixers, in the dimensions their publishers use.
//!
//! A mixer keeps the publisher's own dimensions (heads, groups, kernels) and not only element counts, because engines
//! shard, pad and convert by them. What it stores is the business of [`crate::cache`].

use crate::error::PlanError;
use crate::read;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A token mixer with a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Mixer {
    /// Attention over every token.
    Full(Full),
    /// Attention over the last `window` tokens.
    Window(Window),
    /// Attention inside chunks of `chunk` tokens.
    Chunk(Chunk),
    /// Multi-head latent attention: one compressed row a token.
    Mla(Mla),
    /// DeepSeek-V4's shared-KV attention: a window, and entries compressed over time.
    Compressed(Compressed),
    /// Mamba-1 selective state space.
    Mamba1(Mamba1),
    /// Mamba-2 (SSD).
    Mamba2(Mamba2),
    /// Gated delta network.
    GatedDelta(GatedDelta),
    /// Kimi delta attention.
    Kda(Kda),
    /// Lightning (decayed linear) attention: a state, no convolution.
    Lightning(Lightning),
    /// Gated short convolution (LFM2).
    ShortConv(ShortConv),
    /// RWKV time and channel mixing.
    Rwkv(Rwkv),
    /// Real-gated linear recurrent unit (Griffin).
    RgLru(RgLru),
    /// xLSTM's matrix memory.
    Mlstm(Mlstm),
    /// Attention over encoder (or image) tokens.
    Cross(Cross),
    /// Attention over another layer's keys and values: owns nothing.
    Shared(Shared),
}

macro_rules! kinds {
    ($($name:literal => $variant:ident,)+) => {
        /// As derived for a tag `kind`, at a third of the code: the fields are collected once, not once a kind.
        impl<'de> Deserialize<'de> for Mixer {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let mut map = Map::deserialize(d)?;
                let kind = map.remove("kind").ok_or_else(|| D::Error::missing_field("kind"))?;
                let kind: String = read::part(&kind).map_err(D::Error::custom)?;
                let fields = Value::Object(map);
                match kind.as_str() {
                    $($name => read::part(&fields).map(Self::$variant).map_err(D::Error::custom),)+
                    other => Err(D::Error::unknown_variant(other, &[$($name),+])),
                }
            }
        }
    };
}

kinds! {
    "full" => Full,
    "window" => Window,
    "chunk" => Chunk,
    "mla" => Mla,
    "compressed" => Compressed,
    "mamba1" => Mamba1,
    "mamba2" => Mamba2,
    "gated_delta" => GatedDelta,
    "kda" => Kda,
    "lightning" => Lightning,
    "short_conv" => ShortConv,
    "rwkv" => Rwkv,
    "rg_lru" => RgLru,
    "mlstm" => Mlstm,
    "cross" => Cross,
    "shared" => Shared,
}

macro_rules! dims {
    ($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $ty:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$fdoc])* pub $field: $ty),+ }
    };
}

dims! {
    /// Grouped-query attention over all tokens; one key and one value vector per KV head.
    Full {
        /// KV heads.
        kv_heads: u64,
        /// Key width per head.
        k_dim: u64,
        /// Value width per head.
        v_dim: u64,
        /// Width of a sparse-attention indexer's single key head beside the full cache (MiniMax-M3's MSA).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indexer_dim: Option<u64>,
    }
}
dims! {
    /// Grouped-query attention over a sliding window.
    Window {
        /// KV heads.
        kv_heads: u64,
        /// Key width per head.
        k_dim: u64,
        /// Value width per head.
        v_dim: u64,
        /// Tokens a query can see, itself included.
        window: u64,
    }
}
dims! {
    /// Grouped-query attention inside fixed chunks.
    Chunk {
        /// KV heads.
        kv_heads: u64,
        /// Key width per head.
        k_dim: u64,
        /// Value width per head.
        v_dim: u64,
        /// Tokens per chunk.
        chunk: u64,
    }
}
dims! {
    /// Latent attention. The row is `latent_dim + rope_dim` elements, keys and values at once.
    Mla {
        /// Compressed KV rank (`kv_lora_rank`).
        latent_dim: u64,
        /// Decoupled rotary key width (`qk_rope_head_dim`).
        rope_dim: u64,
        /// Width of a sparse-attention indexer's key head, on layers that store one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indexer_dim: Option<u64>,
        /// Tokens pooled into one indexer key (`index_kpool`); 1 where absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indexer_stride: Option<u64>,
        /// The layer attends sparsely with another layer's indexer and stores none of its own.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        indexer_shared: bool,
        /// Query heads; needed where an engine decompresses the cache to plain heads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heads: Option<u64>,
        /// Key width per head without the rotary part (`qk_nope_head_dim`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nope_dim: Option<u64>,
        /// Value width per head.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        v_dim: Option<u64>,
    }
}
dims! {
    /// Keys and values in one row of `dim`; the last `window` rows, and one row per `ratio` tokens.
    Compressed {
        /// Row width.
        dim: u64,
        /// Rows kept uncompressed.
        window: u64,
        /// Tokens per compressed entry; 0 keeps the window alone.
        ratio: u64,
        /// Width of the indexer's key per compressed entry (CSA); absent on layers that attend to all entries (HCA).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        indexer_dim: Option<u64>,
    }
}
dims! {
    /// Convolution over `inner` channels and a state of `inner × state`.
    Mamba1 {
        /// Channels (`intermediate_size`).
        inner: u64,
        /// State width (`state_size`).
        state: u64,
        /// Convolution kernel.
        conv_kernel: u64,
    }
}
dims! {
    /// Convolution over `heads·head_dim + 2·groups·state` channels and a state of `heads × head_dim × state`.
    Mamba2 {
        /// SSM heads.
        heads: u64,
        /// Channels per head.
        head_dim: u64,
        /// Groups of B and C.
        groups: u64,
        /// State width.
        state: u64,
        /// Convolution kernel.
        conv_kernel: u64,
    }
}
dims! {
    /// Convolution over `2·k_heads·k_dim + v_heads·v_dim` channels and a state of `v_heads × k_dim × v_dim`.
    GatedDelta {
        /// Key heads.
        k_heads: u64,
        /// Key width per head.
        k_dim: u64,
        /// Value heads.
        v_heads: u64,
        /// Value width per head.
        v_dim: u64,
        /// Convolution kernel.
        conv_kernel: u64,
    }
}
dims! {
    /// Three convolutions over `heads·head_dim` channels and a state of `heads × head_dim × head_dim`.
    Kda {
        /// Heads.
        heads: u64,
        /// Width per head.
        head_dim: u64,
        /// Convolution kernel.
        conv_kernel: u64,
    }
}
dims! {
    /// A state of `heads × head_dim × head_dim`.
    Lightning {
        /// Heads.
        heads: u64,
        /// Width per head.
        head_dim: u64,
    }
}
dims! {
    /// A convolution over `width` channels.
    ShortConv {
        /// Channels.
        width: u64,
        /// Convolution kernel (`L_cache`).
        conv_kernel: u64,
    }
}
dims! {
    /// Two shifted tokens of `hidden` and a state of `hidden/head_size` matrices.
    Rwkv {
        /// Width of the residual stream.
        hidden: u64,
        /// Width of a head.
        head_size: u64,
        /// Shifted tokens, where they are not two (channel mixing of another kind).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_shift: Option<u64>,
    }
}
dims! {
    /// A convolution and one state element per channel.
    RgLru {
        /// Channels (`lru_width`).
        width: u64,
        /// Convolution kernel.
        conv_kernel: u64,
    }
}
dims! {
    /// Per head a matrix of `qk_dim × v_dim`, a normaliser of `qk_dim` and one stabiliser.
    Mlstm {
        /// Heads.
        heads: u64,
        /// Query and key width per head.
        qk_dim: u64,
        /// Value width per head.
        v_dim: u64,
    }
}
dims! {
    /// Keys and values of the encoder's tokens, fixed once the input is.
    Cross {
        /// KV heads.
        kv_heads: u64,
        /// Key width per head.
        k_dim: u64,
        /// Value width per head.
        v_dim: u64,
    }
}
dims! {
    /// A layer that reads an earlier layer's cache.
    Shared {
        /// It attends over a window of this many tokens; absent: over all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<u64>,
    }
}

impl Mixer {
    /// The mixer's `kind` in specs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Full(_) => "full",
            Self::Window(_) => "window",
            Self::Chunk(_) => "chunk",
            Self::Mla(_) => "mla",
            Self::Compressed(_) => "compressed",
            Self::Mamba1(_) => "mamba1",
            Self::Mamba2(_) => "mamba2",
            Self::GatedDelta(_) => "gated_delta",
            Self::Kda(_) => "kda",
            Self::Lightning(_) => "lightning",
            Self::ShortConv(_) => "short_conv",
            Self::Rwkv(_) => "rwkv",
            Self::RgLru(_) => "rg_lru",
            Self::Mlstm(_) => "mlstm",
            Self::Cross(_) => "cross",
            Self::Shared(_) => "shared",
        }
    }

    /// Makes an attention mixer cache one tensor for keys and values; whether there was one to change.
    pub(super) fn merge_projections(&mut self) -> Result<bool, PlanError> {
        let (k_dim, v_dim) = match self {
            Self::Full(a) => (a.k_dim, &mut a.v_dim),
            Self::Window(a) => (a.k_dim, &mut a.v_dim),
            Self::Chunk(a) => (a.k_dim, &mut a.v_dim),
            Self::Cross(a) => (a.k_dim, &mut a.v_dim),
            Self::Mla(_)
            | Self::Compressed(_)
            | Self::Mamba1(_)
            | Self::Mamba2(_)
            | Self::GatedDelta(_)
            | Self::Kda(_)
            | Self::Lightning(_)
            | Self::ShortConv(_)
            | Self::Rwkv(_)
            | Self::RgLru(_)
            | Self::Mlstm(_)
            | Self::Shared(_) => return Ok(false),
        };
        if k_dim != *v_dim {
            let message =
                format!("keys of width {k_dim} and values of width {v_dim} cannot share one projection");
            return Err(PlanError::invalid("what_if.projections", message));
        }
        *v_dim = 0;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_is_written_is_read() {
        let schema = schemars::schema_for!(Mixer).to_value();
        let kinds: Vec<&str> = schema["oneOf"].as_array().unwrap().iter().map(kind).collect();
        assert!(kinds.len() > 10 && kinds.contains(&"gated_delta"), "{kinds:?}");
        for kind in kinds {
            match serde_json::from_value::<Mixer>(serde_json::json!({ "kind": kind })) {
                Ok(mixer) => assert_eq!(serde_json::to_value(mixer).unwrap()["kind"], kind),
                Err(error) => assert!(error.to_string().starts_with("missing field"), "{kind}: {error}"),
            }
        }
        let error = serde_json::from_value::<Mixer>(serde_json::json!({ "kind": "none" })).unwrap_err();
        assert!(error.to_string().starts_with("unknown variant `none`, expected one of `full`"), "{error}");
    }

    fn kind(form: &Value) -> &str {
        form["properties"]["kind"]["const"].as_str().unwrap()
    }
}
