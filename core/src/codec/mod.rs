//! Codecs: how a store's entries become bytes.
//!
//! A [`Codec`] is a block [`Layout`]: elements per block, bytes per block, what else is stored, along which axis, over
//! which window in full precision. Bits per element are derived, never typed in. Engines ask for
//! [`Codec::row_bytes`] (one entry) where a format is laid out entry by entry, and for [`Codec::store_bytes`] (n
//! entries) where it groups tokens over time. [`Codec::encode`] and [`Codec::decode`] are the bit-exact CPU reference.
//!
//! # Adding a codec
//!
//! 1. Write one `Layout` constant in the file of its family under `formats/` (or a new file there): name, packing of
//!    K and V, and by struct update whatever differs from the default: aliases, stored metadata, constraints, engines,
//!    source.
//! 2. Add one line to the `codecs!` list in `table.rs`: the variant, its doc, and the constant.
//! 3. If its bytes are published, add the arithmetic: one file under `reference/`, named in the layout's `arithmetic`
//!    field, and a test against bytes that come from elsewhere.
//!
//! Names, sizes, parsing, listing, `kvplan codecs` and every engine follow from that row.

mod formats;
mod info;
mod layout;
pub mod measured;
mod reference;
mod table;
pub mod tables;

pub use formats::block_gtq;
pub use info::{CodecInfo, SideInfo};
pub use layout::{
    Axis, Block, FULL_PRECISION_BYTES, Field, Fit, LISTED_HEAD_DIM, Layout, Packing, Ratio, Residual,
    SideLayout,
};
pub use reference::{
    ArithmeticError, BlockGtq, EncodedTensor, Pairing, Rotation, RotationError, Route, RowCoder, ScaleError,
    StaticScale, TensorShape, TurboQuant, allocate, energies, nvfp4_swizzled_scale,
};
pub use table::Codec;

use crate::unit::{Bytes, Overflow};

/// Which tensor of a layer a codec is asked about; several formats lay out K and V differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Keys, and every row that is scored like a key (latent rows, indexer keys, compressed rows).
    Key,
    /// Values.
    Value,
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
    /// The format is a record for one width only.
    #[error("{codec} stores vectors of {only} elements, not of {dim}")]
    Width {
        /// The codec's name.
        codec: &'static str,
        /// The width it is made for.
        only: u64,
        /// The width asked for.
        dim: u64,
    },
    /// The format packs tokens in groups, and this many have no whole number of bytes of their own.
    #[error("{codec} packs groups of {tokens} tokens; {entries} of this width have no whole number of bytes")]
    TokenGroup {
        /// The codec's name.
        codec: &'static str,
        /// Tokens per group.
        tokens: u64,
        /// The entries asked for.
        entries: u64,
    },
    /// The byte count exceeds 64 bits.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl Codec {
    /// The codec's own name (lower case, underscores).
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.layout().name
    }

    /// The codec of that name or alias, letter case aside.
    ///
    /// ```
    /// # use kvplan_core::codec::Codec;
    /// assert_eq!(Codec::parse("q4_K"), Some(Codec::Q4K));
    /// assert_eq!(Codec::parse("fp8_e4m3fn"), Some(Codec::Fp8E4m3));
    /// assert_eq!(Codec::parse("q9_9"), None);
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| {
            let layout = c.layout();
            std::iter::once(&layout.name).chain(layout.aliases).any(|known| known.eq_ignore_ascii_case(name))
        })
    }

    /// The codec of a ggml type name (`q4_K`, `f16`, `nvfp4`): ggml's `nvfp4` is another layout than everyone else's,
    /// so llama.cpp's options and GGUF types are read with this and not with [`Codec::parse`].
    #[must_use]
    pub fn parse_ggml(name: &str) -> Option<Self> {
        let ours = if name.eq_ignore_ascii_case("nvfp4") { Self::Nvfp4Ggml } else { Self::parse(name)? };
        ours.layout().engines.contains(&formats::GGML).then_some(ours)
    }

    fn side(self, side: Side) -> SideLayout {
        match side {
            Side::Key => self.layout().key,
            Side::Value => self.layout().value,
        }
    }

    /// Bytes of one entry of `heads` vectors of `dim` elements, for a format laid out entry by entry.
    ///
    /// For a format that groups tokens this is the average entry of a full group, without residual windows.
    ///
    /// ```
    /// # use kvplan_core::codec::{Codec, Side};
    /// // a token of Llama-3.1-8B: 8 KV heads of 128
    /// assert_eq!(Codec::Q8_0.row_bytes(Side::Key, 8, 128).unwrap().get(), 8 * 136);
    /// ```
    ///
    /// # Errors
    /// [`CodecError`] when the layout cannot hold the shape.
    pub fn row_bytes(self, side: Side, heads: u64, dim: u64) -> Result<Bytes, CodecError> {
        let row = SideLayout::new(self.side(side).packing).bytes(self.name(), (heads, dim), 0, 1)?;
        Ok(row.plus(self.slot_padding(side, dim)?.times(heads)?)?)
    }

    /// Bytes of `entries` entries of `heads` vectors of `dim` elements, residual windows included, no page rounding.
    ///
    /// Formats whose window counts generated tokens take all entries as prompt; see [`Codec::store_bytes_after`].
    ///
    /// # Errors
    /// [`CodecError`] when the layout cannot hold the shape.
    pub fn store_bytes(self, side: Side, heads: u64, dim: u64, entries: u64) -> Result<Bytes, CodecError> {
        self.store_bytes_after(side, heads, dim, entries, 0)
    }

    /// [`Codec::store_bytes`] after a prompt of `prompt` tokens and `generated` tokens one by one. The split matters
    /// only for Hugging Face's quantized caches, which keep `generated mod 128` tokens in full precision.
    ///
    /// # Errors
    /// [`CodecError`] when the layout cannot hold the shape.
    pub fn store_bytes_after(
        self,
        side: Side,
        heads: u64,
        dim: u64,
        prompt: u64,
        generated: u64,
    ) -> Result<Bytes, CodecError> {
        let stored = self.side(side).bytes(self.name(), (heads, dim), prompt, generated)?;
        let entries = prompt.checked_add(generated).ok_or(Overflow)?;
        Ok(stored.plus(self.slot_padding(side, dim)?.times(heads)?.times(entries)?)?)
    }

    /// Padding per head of this side: the slot holds K and V of one head, and its padding comes last.
    fn slot_padding(self, side: Side, dim: u64) -> Result<Bytes, CodecError> {
        let layout = self.layout();
        if layout.slot_multiple == 1 || side == Side::Key {
            return Ok(Bytes::ZERO);
        }
        let k = layout.key.bytes(layout.name, (1, dim), 0, 1)?;
        let v = layout.value.bytes(layout.name, (1, dim), 0, 1)?;
        Ok(Bytes::new(layout.padding(k.plus(v)?.get())))
    }

    /// Tokens after which the growth of [`Codec::store_bytes`] repeats (1 for formats laid out entry by entry).
    #[must_use]
    pub const fn growth_period(self) -> u64 {
        const fn of(side: SideLayout) -> u64 {
            match side.residual {
                Residual::Remainder(r) => r,
                Residual::None | Residual::Newest(_) | Residual::SinceFlush(_) => 1,
            }
        }
        layout::lcm(of(self.layout().key), of(self.layout().value))
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for Codec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Codec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("`{name}` is no codec")))
    }
}
