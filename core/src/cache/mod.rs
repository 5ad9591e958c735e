//! The cache algebra: a layer is a list of stores, and a store is a width, a precision knob and a retention law.
//!
//! Every architecture is one case of this: grouped-query and latent attention, windows and chunks, indexers,
//! compressed entries, recurrent states, cross-attention and shared layers differ in which stores they list
//! (`algebra`), not in how a store is counted ([`Store::entries`]). Adding an architecture adds data.

mod algebra;
mod keeps;
mod retention;

pub use algebra::stores_of;
pub use keeps::{Heads, Keeps, Reach};
pub use retention::{Eviction, Retention};

use crate::codec::Side;
use crate::unit::{Elements, Overflow, Tokens};
use serde::{Deserialize, Serialize};

/// What a store holds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    strum::EnumIter,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Attention keys.
    K,
    /// Attention values.
    V,
    /// Latent rows, keys and values at once.
    Latent,
    /// Keys of a sparse-attention indexer.
    Indexer,
    /// Rows that are key and value at once, raw or compressed over time (CSA, HCA, DeepSeek-V4's window).
    Compressed,
    /// The last inputs of a causal convolution.
    ConvState,
    /// A recurrent state.
    RecurrentState,
    /// Tokens waiting to be compressed, and the overlap with the previous block.
    CompressorState,
    /// Keys of the encoder's tokens.
    CrossK,
    /// Values of the encoder's tokens.
    CrossV,
}

impl Role {
    /// The role's name in plans.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::K => "k",
            Self::V => "v",
            Self::Latent => "latent",
            Self::Indexer => "indexer",
            Self::Compressed => "compressed",
            Self::ConvState => "conv_state",
            Self::RecurrentState => "recurrent_state",
            Self::CompressorState => "compressor_state",
            Self::CrossK => "cross_k",
            Self::CrossV => "cross_v",
        }
    }

    /// How many roles there are.
    pub const COUNT: usize = 10;

    /// Position in listings.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::K => 0,
            Self::V => 1,
            Self::Latent => 2,
            Self::Indexer => 3,
            Self::Compressed => 4,
            Self::ConvState => 5,
            Self::RecurrentState => 6,
            Self::CompressorState => 7,
            Self::CrossK => 8,
            Self::CrossV => 9,
        }
    }

    /// Which side of a codec lays this role out.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::V | Self::CrossV => Side::Value,
            Self::K
            | Self::Latent
            | Self::Indexer
            | Self::Compressed
            | Self::ConvState
            | Self::RecurrentState
            | Self::CompressorState
            | Self::CrossK => Side::Key,
        }
    }

    /// Which setting chooses this role's codec.
    #[must_use]
    pub const fn knob(self) -> Knob {
        match self {
            Self::K | Self::Latent | Self::Compressed | Self::CrossK => Knob::K,
            Self::V | Self::CrossV => Knob::V,
            Self::Indexer => Knob::Indexer,
            Self::ConvState => Knob::Conv,
            Self::RecurrentState | Self::CompressorState => Knob::State,
        }
    }

    /// Whether `cache.k` or `cache.v` chooses its codec.
    #[must_use]
    pub const fn knob_is_cache(self) -> bool {
        matches!(self.knob(), Knob::K | Knob::V)
    }

    /// Whether the tokens themselves need it. Compressor buffers are an engine's working memory: published footprints
    /// leave them out, so they count as reserved and never as payload.
    #[must_use]
    pub const fn is_payload(self) -> bool {
        !matches!(self, Self::CompressorState)
    }
}

/// The precision settings of a request's `cache`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Knob {
    /// `cache.k`: keys, latent rows, compressed rows.
    K,
    /// `cache.v`: values.
    V,
    /// `cache.indexer`: indexer keys.
    Indexer,
    /// `cache.state`: recurrent states.
    State,
    /// `cache.conv`: convolution states.
    Conv,
}

/// One tensor of a layer: `entries(n)` entries of `heads × dim` elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    /// What it holds.
    pub role: Role,
    /// Vectors per entry.
    pub heads: u64,
    /// Elements per vector.
    pub dim: u64,
    /// How many entries are kept after n tokens.
    pub retention: Retention,
}

impl Store {
    /// Entries one sequence keeps after `tokens` tokens and `encoder_tokens` encoder tokens.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn entries(&self, tokens: Tokens, encoder_tokens: Tokens) -> Result<Tokens, Overflow> {
        self.retention.entries(tokens, encoder_tokens)
    }

    /// Elements per entry.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn width(&self) -> Result<Elements, Overflow> {
        Elements::new(self.heads).times(self.dim)
    }
}
