//! What is asked of an engine.

use crate::cache::Knob;
use crate::codec::Codec;
use crate::spec::ModelSpec;
use crate::unit::Tokens;
use std::sync::Arc;

/// What is asked of an engine, already parsed: tokens, sequences and codecs. `None` means "the engine's own default".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scenario {
    /// Tokens per sequence, prompt and generated.
    pub context: Option<Tokens>,
    /// Sequences resident at once.
    pub sequences: Option<u64>,
    /// Encoder (or image) tokens per sequence.
    pub encoder_tokens: Tokens,
    /// Codecs asked for.
    pub cache: CacheTypes,
    /// Multi-token-prediction layers kept in the cache.
    pub mtp: u64,
    /// A draft model whose layers keep their cache in the model's own pool.
    pub draft: Option<Arc<ModelSpec>>,
    /// Tokens at the start of every sequence that are the same in all of them.
    pub shared: Tokens,
    /// Build the tree of terms.
    pub explain: bool,
}

/// The codecs a request names, one per knob.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheTypes {
    /// Keys and latent rows.
    pub k: Option<Codec>,
    /// Values.
    pub v: Option<Codec>,
    /// Indexer keys.
    pub indexer: Option<Codec>,
    /// Recurrent states.
    pub state: Option<Codec>,
    /// Convolution states.
    pub conv: Option<Codec>,
}

impl CacheTypes {
    /// The codec asked for under `knob`.
    #[must_use]
    pub const fn get(&self, knob: Knob) -> Option<Codec> {
        match knob {
            Knob::K => self.k,
            Knob::V => self.v,
            Knob::Indexer => self.indexer,
            Knob::State => self.state,
            Knob::Conv => self.conv,
        }
    }
}
