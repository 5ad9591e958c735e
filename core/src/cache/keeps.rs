//! What a mixer keeps, where its name does not matter: attention of three reaches is one case, every recurrence another.

use super::Retention;
use crate::spec::layer::{Compressed, Cross, Mixer, Mla, Shared};

/// The kinds of memory that layers have.
#[derive(Debug, Clone, Copy)]
pub enum Keeps<'a> {
    /// Keys and values by head.
    Heads(Heads),
    /// One latent row a token.
    Latent(&'a Mla),
    /// A window's rows, and entries compressed over time.
    Compressed(&'a Compressed),
    /// A state of fixed size, of whatever recurrence.
    State,
    /// Keys and values of an encoder's tokens.
    Encoder(&'a Cross),
    /// Nothing of its own.
    Borrowed(&'a Shared),
}

/// Keys and values by head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// KV heads.
    pub kv_heads: u64,
    /// Key width per head.
    pub k_dim: u64,
    /// Value width per head.
    pub v_dim: u64,
    /// The tokens that a query sees.
    pub reach: Reach,
    /// Width of a sparse-attention indexer's key.
    pub indexer_dim: Option<u64>,
}

/// Which of the tokens before it a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Every one.
    All,
    /// The last so many.
    Window(u64),
    /// Those of its own chunk of so many.
    Chunk(u64),
}

impl Reach {
    /// What is kept where nothing unseen is.
    #[must_use]
    pub const fn law(self) -> Retention {
        match self {
            Self::All => Retention::All,
            Self::Window(tokens) => Retention::Window(tokens),
            Self::Chunk(tokens) => Retention::Chunk(tokens),
        }
    }
}

impl Mixer {
    /// The kind of memory it has.
    #[must_use]
    pub fn keeps(&self) -> Keeps<'_> {
        let heads = |kv_heads, k_dim, v_dim, reach, indexer_dim| {
            Keeps::Heads(Heads { kv_heads, k_dim, v_dim, reach, indexer_dim })
        };
        match self {
            Self::Full(a) => heads(a.kv_heads, a.k_dim, a.v_dim, Reach::All, a.indexer_dim),
            Self::Window(a) => heads(a.kv_heads, a.k_dim, a.v_dim, Reach::Window(a.window), None),
            Self::Chunk(a) => heads(a.kv_heads, a.k_dim, a.v_dim, Reach::Chunk(a.chunk), None),
            Self::Mla(a) => Keeps::Latent(a),
            Self::Compressed(a) => Keeps::Compressed(a),
            Self::Mamba1(_)
            | Self::Mamba2(_)
            | Self::GatedDelta(_)
            | Self::Kda(_)
            | Self::Lightning(_)
            | Self::ShortConv(_)
            | Self::Rwkv(_)
            | Self::RgLru(_)
            | Self::Mlstm(_) => Keeps::State,
            Self::Cross(a) => Keeps::Encoder(a),
            Self::Shared(a) => Keeps::Borrowed(a),
        }
    }
}

impl Mla {
    /// Whether an indexer, its own or another layer's, chooses the tokens it attends to.
    #[must_use]
    pub const fn is_sparse(&self) -> bool {
        self.indexer_dim.is_some() || self.indexer_shared
    }
}
