//! Retention laws: how many entries a store keeps after n tokens.

use crate::unit::{Overflow, Tokens};

/// How many entries are kept after n tokens of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// n.
    All,
    /// min(n, w): the last w tokens.
    Window(u64),
    /// min(n, c): at most one chunk of c tokens is ever visible.
    Chunk(u64),
    /// ⌊n/r⌋: one entry per r whole tokens.
    Strided(u64),
    /// e, whatever n is.
    Fixed(u64),
    /// The encoder's tokens, whatever n is.
    Encoder,
    /// An eviction policy's budget.
    Evicted(Eviction),
}

/// What an eviction policy keeps of a layer; token counts per KV head, as the published methods define them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// The first `sink` tokens and the last `recent`: min(n, sink + recent). StreamingLLM.
    SinkAndRecent {
        /// First tokens kept for good.
        sink: u64,
        /// Last tokens kept.
        recent: u64,
    },
    /// A budget held through decoding: min(n, budget). H2O and TOVA as published.
    Held {
        /// Tokens kept.
        budget: u64,
    },
    /// A prompt of `prompt` tokens is cut to `budget`, what is generated after it stays. SnapKV and its kin.
    PromptOnly {
        /// Tokens the prompt is cut to.
        budget: u64,
        /// The prompt's length.
        prompt: u64,
    },
}

impl Retention {
    /// Entries kept after `tokens` tokens, of which an encoder contributed `encoder_tokens` separately.
    ///
    /// ```
    /// # use kvplan_core::{cache::Retention, unit::Tokens};
    /// let n = Tokens::new(1000);
    /// assert_eq!(Retention::Window(512).entries(n, Tokens::ZERO), Ok(Tokens::new(512)));
    /// assert_eq!(Retention::Strided(128).entries(n, Tokens::ZERO), Ok(Tokens::new(7)));
    /// ```
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn entries(self, tokens: Tokens, encoder_tokens: Tokens) -> Result<Tokens, Overflow> {
        let n = tokens.get();
        Ok(Tokens::new(match self {
            Self::All => n,
            Self::Window(w) => n.min(w),
            Self::Chunk(c) => n.min(c),
            Self::Strided(r) => n / r.max(1),
            Self::Fixed(e) => e,
            Self::Encoder => encoder_tokens.get(),
            Self::Evicted(Eviction::SinkAndRecent { sink, recent }) => {
                n.min(sink.checked_add(recent).ok_or(Overflow)?)
            }
            Self::Evicted(Eviction::Held { budget }) => n.min(budget),
            Self::Evicted(Eviction::PromptOnly { budget, prompt }) => {
                let prompt = prompt.min(n);
                prompt.min(budget) + (n - prompt)
            }
        }))
    }

    /// Of what is kept after `tokens` tokens, the entries that the first `prefix` of them made: what sequences with the same
    /// beginning could keep once. A state or what a policy picks is of the whole sequence, an encoder's input is each
    /// sequence's own.
    ///
    /// ```
    /// # use kvplan_core::{cache::Retention, unit::Tokens};
    /// let common = |law: Retention| law.common(Tokens::new(1000), Tokens::new(800)).get();
    /// assert_eq!([Retention::All, Retention::Window(512), Retention::Strided(128)].map(common), [800, 312, 6]);
    /// ```
    #[must_use]
    pub fn common(self, tokens: Tokens, prefix: Tokens) -> Tokens {
        let (n, prefix) = (tokens.get(), prefix.get().min(tokens.get()));
        Tokens::new(match self {
            Self::All => prefix,
            Self::Window(kept) | Self::Chunk(kept) => prefix.min(kept.saturating_sub(n - prefix)),
            Self::Strided(r) => prefix / r.max(1),
            Self::Fixed(_) | Self::Encoder | Self::Evicted(_) => 0,
        })
    }

    /// Tokens after which the growth pattern repeats: the stride of a strided law, 1 otherwise.
    #[must_use]
    pub const fn stride(self) -> u64 {
        match self {
            Self::Strided(r) => r,
            Self::All
            | Self::Window(_)
            | Self::Chunk(_)
            | Self::Fixed(_)
            | Self::Encoder
            | Self::Evicted(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(law: Retention, n: u64) -> u64 {
        law.entries(Tokens::new(n), Tokens::new(1500)).unwrap().get()
    }

    #[test]
    fn windows_and_chunks_stop_growing() {
        assert_eq!([kept(Retention::Window(128), 100), kept(Retention::Window(128), 129)], [100, 128]);
        assert_eq!(kept(Retention::Chunk(8192), 1 << 20), 8192);
    }

    #[test]
    fn encoder_and_fixed_laws_ignore_the_decoder() {
        assert_eq!(kept(Retention::Encoder, 7), 1500);
        assert_eq!([kept(Retention::Fixed(1), 0), kept(Retention::Fixed(1), 1 << 30)], [1, 1]);
    }

    #[test]
    fn prompt_only_policies_keep_everything_generated() {
        // SnapKV with a capacity of 1024 on an 8000-token prompt, 200 tokens later.
        let law = Retention::Evicted(Eviction::PromptOnly { budget: 1024, prompt: 8000 });
        assert_eq!(kept(law, 8200), 1224);
        assert_eq!(kept(law, 500), 500);
    }
}
