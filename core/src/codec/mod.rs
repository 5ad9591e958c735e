//! Codecs: how a store's entries become bytes.
//!
//! A [`Codec`] is a block layout (elements per block, bytes per block, what else is stored, along which axis, over
//! which window in full precision); bits per element are derived, never typed in. Engines ask for
//! [`Codec::row_bytes`] (one entry) where a format is laid out entry by entry, and for [`Codec::store_bytes`] (n
//! entries) where it groups tokens over time.

use crate::unit::{Bytes, Overflow};

/// Which tensor of a layer a codec is asked about; several formats lay out K and V differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Keys, and every row that is scored like a key (latent rows, indexer keys, compressed rows).
    Key,
    /// Values.
    Value,
}

/// A cache format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// bfloat16.
    Bf16,
}

/// A shape that a codec's layout cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The codec's block does not divide what it is asked to hold.
    #[error("{codec} stores blocks of {block} elements, which do not divide {elements}")]
    Indivisible {
        /// The codec's name.
        codec: &'static str,
        /// Elements per block.
        block: u64,
        /// The row or head width asked for.
        elements: u64,
    },
    /// The byte count exceeds 64 bits.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl Codec {
    /// Every codec, in listing order.
    pub const ALL: &'static [Self] = &[Self::F32, Self::F16, Self::Bf16];

    /// The codec's own name (lower case, underscores).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// The codec of that name or alias.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.name() == name)
    }

    /// Bytes of one entry of `heads` vectors of `dim` elements, for a format laid out entry by entry.
    ///
    /// # Errors
    /// [`CodecError`] when the layout cannot hold the shape.
    pub fn row_bytes(self, _side: Side, heads: u64, dim: u64) -> Result<Bytes, CodecError> {
        let each = match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        };
        Ok(Bytes::new(heads).times(dim)?.times(each)?)
    }

    /// Bytes of `entries` entries of `heads` vectors of `dim` elements, residual windows included, no page rounding.
    ///
    /// # Errors
    /// [`CodecError`] when the layout cannot hold the shape.
    pub fn store_bytes(self, side: Side, heads: u64, dim: u64, entries: u64) -> Result<Bytes, CodecError> {
        Ok(self.row_bytes(side, heads, dim)?.times(entries)?)
    }

    /// Tokens after which the growth of [`Codec::store_bytes`] repeats (1 for formats laid out entry by entry).
    #[must_use]
    pub const fn growth_period(self) -> u64 {
        1
    }
}
