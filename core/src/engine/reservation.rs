//! What an engine reserves: line by line, its pool, and the figures it prints.

use super::{llama_cpp, sglang, tensorrt_llm, vllm};
use crate::cache::Role;
use crate::codec::Codec;
use crate::explain::{Basis, Rule, Term};
use crate::unit::{Bytes, Overflow, Tokens};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// Which of a model's layers a line stands for: what placement needs to know beside how many they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Carriers {
    /// Layers of several kinds, or not known by kind: spread evenly over all.
    #[default]
    Any,
    /// The layers of one of [`ModelSpec::kinds`].
    Kind(u16),
    /// The layers without mixers.
    Empty,
}

/// One line of an answer: what equal stores of equal layers need and what the engine reserves for them.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreLine {
    /// The cache this belongs to, in the engine's words (`full`, `swa`, `recurrent`, …).
    pub cache: &'static str,
    /// What is stored.
    pub role: Role,
    /// Layers of this kind.
    pub layers: u64,
    /// Which of the model's layers they are.
    pub carriers: Carriers,
    /// Vectors per entry.
    pub heads: u64,
    /// Elements per vector.
    pub dim: u64,
    /// Entries one sequence needs in one layer.
    pub entries: Tokens,
    /// Sequences.
    pub sequences: u64,
    /// The codec the engine stores them in.
    pub codec: Codec,
    /// What the tokens need.
    pub payload: Bytes,
    /// What the engine reserves.
    pub allocated: Bytes,
    /// Why.
    pub rule: &'static Rule,
    /// How sure.
    pub basis: Basis,
}

/// What an engine reserves.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reservation {
    /// Context per sequence, resolved.
    pub context: Tokens,
    /// Sequences, resolved.
    pub sequences: u64,
    /// Line by line. Lines whose engine shares one pool carry their share; the pool's own figures are in `pool`.
    pub lines: Vec<StoreLine>,
    /// The total and its unused part where the engine reserves a fixed pool.
    pub pool: Option<Pool>,
    /// How many sequences of this length could be resident, where something but memory says so.
    pub room: Room,
    /// What the sequences keep once and what each takes beside it, where the engine keeps equal beginnings once.
    pub common: Option<Common>,
    /// Bytes reserved for no store in particular (a null block, a padding page): counted as allocated and as waste.
    pub overhead: Bytes,
    /// The figures this engine itself prints, under its own names.
    pub report: Report,
    /// Growth of the payload of one sequence, where the engine's share of the model is not the whole of it.
    pub growth: Option<Growth>,
    /// Bytes reserved on one rank of each pipeline stage, where there are several; the lines are the first one's.
    pub stages: Vec<Bytes>,
    /// What was assumed on the way.
    pub assumptions: Vec<Cow<'static, str>>,
    /// The engine's own steps (cells, padding, groups), when the scenario asks for an explanation.
    pub terms: Vec<Term>,
}

impl Reservation {
    /// All that is reserved: the pool where there is one, else the lines and what belongs to none of them.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn allocated(&self) -> Result<Bytes, Overflow> {
        match self.pool {
            Some(pool) => Ok(pool.total),
            None => self.lines.iter().try_fold(self.overhead, |sum, line| sum.plus(line.allocated)),
        }
    }
}

/// The figures an engine itself prints, under its own names: one variant an engine, serialised as its content.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Report {
    /// It prints none.
    #[default]
    None,
    /// llama.cpp's.
    LlamaCpp(Box<llama_cpp::Report>),
    /// vLLM's.
    Vllm(Box<vllm::Report>),
    /// SGLang's.
    Sglang(sglang::Report),
    /// TensorRT-LLM's.
    TensorRtLlm(tensorrt_llm::Report),
}

impl Report {
    /// Whether there is nothing to show.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        match self {
            Self::None => true,
            Self::LlamaCpp(_) | Self::Vllm(_) | Self::Sglang(_) | Self::TensorRtLlm(_) => false,
        }
    }
}

/// How the payload of one sequence grows from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// Bytes more…
    pub bytes: Bytes,
    /// … after so many more tokens, a whole period of strides and codec blocks.
    pub tokens: u64,
}

/// Sequences that can be resident at once, whatever was asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// What a pool of fixed size holds at this length; `None` where the pool grows with what is asked.
    pub pool: Option<u64>,
    /// What the engine runs at once by its own options; `None` where they do not say.
    pub slots: Option<u64>,
    /// What that pool holds while one prompt is read and all others only generate, where that is more.
    pub settled: Option<u64>,
}

/// What sequences that begin with the same tokens keep once, and what each takes beside it: in the engine's own
/// figures, which are one rank's where it shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// Tokens at the start that are kept once.
    pub tokens: u64,
    /// Bytes kept once for all sequences.
    pub once: Bytes,
    /// Bytes one more sequence takes.
    pub each: Bytes,
}

/// A pool of fixed size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// All of it.
    pub total: Bytes,
    /// What the requested sequences leave unused.
    pub free: Bytes,
}
