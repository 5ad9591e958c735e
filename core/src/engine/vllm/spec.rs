//! One layer's cache as vLLM describes it (`v1/kv_cache_interface.py`): a class, a block size, the bytes of a page.

use crate::cache::{Retention, Role};
use crate::codec::Codec;
use crate::unit::Overflow;

/// What the manager knows of a layer beyond its bytes: which tokens it keeps blocks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// Every token. A window or chunk layer promoted to full allocation remembers which it was.
    Full(Local),
    /// Every token, one row for keys and values.
    Mla,
    /// The last tokens.
    Window { window: u64 },
    /// The last tokens, one row for keys and values.
    WindowMla { window: u64 },
    /// The current chunk.
    Chunk { chunk: u64 },
    /// The encoder's tokens.
    Cross,
    /// A recurrent state: so many blocks a request.
    Mamba { per_request: u64 },
}

/// What a layer of full allocation attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    /// Everything.
    All,
    /// A window.
    Window(u64),
    /// A chunk.
    Chunk(u64),
}

impl Class {
    /// vLLM's class name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Full(_) => "FullAttentionSpec",
            Self::Mla => "MLAAttentionSpec",
            Self::Window { .. } => "SlidingWindowSpec",
            Self::WindowMla { .. } => "SlidingWindowMLASpec",
            Self::Chunk { .. } => "ChunkedLocalAttentionSpec",
            Self::Cross => "CrossAttentionSpec",
            Self::Mamba { .. } => "MambaSpec",
        }
    }

    /// Whether every token keeps its block (`FullAttentionSpec` and what derives from it).
    pub(super) const fn is_full(self) -> bool {
        matches!(self, Self::Full(_) | Self::Mla)
    }

    /// Whether decode-context parallelism shards it.
    pub(super) const fn is_attention(self) -> bool {
        !matches!(self, Self::Mamba { .. })
    }
}

/// One store inside a page: what an entry needs, and what a page holds per state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub cache: &'static str,
    pub role: Role,
    /// Vectors per entry on this rank.
    pub heads: u64,
    pub dim: u64,
    pub retention: Retention,
    pub codec: Codec,
    /// Bytes of one entry.
    pub entry: u64,
    /// Bytes a page holds per state; more than `entry` where speculation keeps further columns.
    pub held: u64,
}

/// One layer's cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    pub class: Class,
    /// Tokens per block.
    pub block_size: u64,
    /// Tokens covered by one state.
    pub tokens_per_state: u64,
    /// The page is rounded up to a multiple of this.
    pub align: u64,
    /// The page is this large, whatever it holds.
    pub padded: Option<u64>,
    /// What a state is made of; two layers whose parts differ are not one group.
    pub parts: Vec<Part>,
}

impl Spec {
    /// States in a page.
    pub(super) const fn states(&self) -> u64 {
        match self.class {
            Class::Mamba { .. } => 1,
            Class::Full(_)
            | Class::Mla
            | Class::Window { .. }
            | Class::WindowMla { .. }
            | Class::Chunk { .. }
            | Class::Cross => self.block_size / self.tokens_per_state,
        }
    }

    /// Bytes of one state.
    pub(super) fn row(&self) -> Result<u64, Overflow> {
        self.parts.iter().try_fold(0u64, |sum, part| sum.checked_add(part.held)).ok_or(Overflow)
    }

    /// Bytes a page needs.
    pub(super) fn unpadded(&self) -> Result<u64, Overflow> {
        self.row()?.checked_mul(self.states()).ok_or(Overflow)
    }

    /// Bytes of a page.
    pub(super) fn page(&self) -> Result<u64, Overflow> {
        match self.padded {
            Some(page) => Ok(page),
            None => self.unpadded()?.checked_next_multiple_of(self.align.max(1)).ok_or(Overflow),
        }
    }

    /// Whether vLLM can keep both under one merged spec (`merge`): equal, or full allocation of the same bytes whose
    /// windows do not contradict each other.
    pub(super) fn merges_with(&self, other: &Self) -> bool {
        match (self.class, other.class) {
            (Class::Full(a), Class::Full(b)) => {
                let local = a == b || a == Local::All || b == Local::All;
                local
                    && self.block_size == other.block_size
                    && self.tokens_per_state == other.tokens_per_state
                    && self.padded == other.padded
                    && same_bytes(&self.parts, &other.parts)
            }
            _ => self == other,
        }
    }

    /// Whether both need blocks for the same tokens (`is_uniform_type`), so that one table serves them.
    pub(super) fn same_type_as(&self, other: &Self) -> bool {
        if self.block_size != other.block_size || self.class.is_attention() != other.class.is_attention() {
            return false;
        }
        match (self.class, other.class) {
            (Class::Full(_) | Class::Mla, b) => b.is_full(),
            (Class::Window { window: a }, Class::Window { window: b } | Class::WindowMla { window: b })
            | (Class::WindowMla { window: a }, Class::WindowMla { window: b }) => a == b,
            (Class::Chunk { chunk: a }, Class::Chunk { chunk: b }) => a == b,
            (Class::Cross, Class::Cross) => true,
            (Class::Mamba { per_request: a }, Class::Mamba { per_request: b }) => {
                a == b && self.page() == other.page()
            }
            (
                Class::Window { .. }
                | Class::WindowMla { .. }
                | Class::Chunk { .. }
                | Class::Cross
                | Class::Mamba { .. },
                _,
            ) => false,
        }
    }

    /// The same layer with every token kept.
    pub(super) fn promoted(&self, block_size: Option<u64>) -> Result<Self, Overflow> {
        let class = match self.class {
            Class::Window { window } => Class::Full(Local::Window(window)),
            Class::Chunk { chunk } => Class::Full(Local::Chunk(chunk)),
            Class::WindowMla { .. } => Class::Mla,
            Class::Full(_) | Class::Mla | Class::Cross | Class::Mamba { .. } => return Ok(self.clone()),
        };
        let mut full = Self { class, block_size: block_size.unwrap_or(self.block_size), ..self.clone() };
        if let Some(padded) = self.padded {
            full.padded = Some(padded.max(full.unpadded()?));
        }
        Ok(full)
    }
}

/// Whether two layers' states are laid out alike; how many tokens they keep aside.
fn same_bytes(a: &[Part], b: &[Part]) -> bool {
    let alike = |(a, b): (&Part, &Part)| {
        a.role == b.role && a.heads == b.heads && a.dim == b.dim && a.codec == b.codec && a.held == b.held
    };
    a.len() == b.len() && a.iter().zip(b).all(alike)
}
