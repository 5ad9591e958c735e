//! A format's layout as data: blocks, what they run along, what stays in full precision.

use super::CodecError;
use super::reference::{Arithmetic, KeyArithmetic};
use crate::explain::Basis;
use crate::unit::{Bytes, Overflow};
use serde::Serialize;

/// The head width at which per-vector formats are listed (128, as in every published comparison).
pub const LISTED_HEAD_DIM: u64 = 128;

/// Bytes of one element kept in full precision inside a residual window: the 16-bit model type.
pub const FULL_PRECISION_BYTES: u64 = 2;

/// Elements that are stored together, and their bytes.
///
/// ```
/// # use kvplan_core::codec::Block;
/// // 32 codes of 8 bits and an f16 scale
/// let q8_0 = Block::affine(32, 8, 2);
/// assert_eq!(q8_0, Block::new(32, 34));
/// assert_eq!(q8_0.bits_per_element().to_f64(), 8.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Elements per block.
    pub elements: u64,
    /// Stored bytes per block, metadata included.
    pub bytes: u64,
}

impl Block {
    /// A block of `elements` in `bytes`.
    #[must_use]
    pub const fn new(elements: u64, bytes: u64) -> Self {
        Self { elements, bytes }
    }

    /// A block of `elements` codes of `bits` bits and `meta` bytes of scales, zeros or norms.
    #[must_use]
    pub const fn affine(elements: u64, bits: u64, meta: u64) -> Self {
        Self { elements, bytes: elements * bits / 8 + meta }
    }

    /// Stored bits per element, exactly.
    #[must_use]
    pub const fn bits_per_element(self) -> Ratio {
        Ratio::new(self.bytes * 8, self.elements)
    }

    /// Bytes of `elements`, which whole blocks must make up.
    ///
    /// # Errors
    /// [`CodecError::Indivisible`] when the block does not divide `elements`, [`CodecError::Overflow`] past 64 bits.
    pub fn bytes_for(self, codec: &'static str, elements: u64) -> Result<u64, CodecError> {
        if !elements.is_multiple_of(self.elements) {
            return Err(CodecError::Indivisible { codec, block: self.elements, elements });
        }
        Ok((elements / self.elements).checked_mul(self.bytes).ok_or(Overflow)?)
    }

    /// Bytes of `elements` at this block's rate, up to the next whole byte.
    fn rate(self, elements: u64) -> Result<u64, Overflow> {
        elements.checked_mul(self.bytes).ok_or(Overflow).map(|n| n.div_ceil(self.elements))
    }

    /// The block followed by `other`, both stretched to the same number of elements.
    const fn beside(self, other: Self) -> Self {
        let both = lcm(self.elements, other.elements);
        Self {
            elements: 2 * both,
            bytes: self.bytes * (both / self.elements) + other.bytes * (both / other.elements),
        }
    }
}

const fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Least common multiple of two positive counts.
pub(super) const fn lcm(a: u64, b: u64) -> u64 {
    a / gcd(a, b) * b
}

/// An exact fraction in lowest terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ratio {
    num: u64,
    den: u64,
}

impl Ratio {
    /// `num / den`, reduced. `den` is positive in every layout of the table.
    #[must_use]
    pub const fn new(num: u64, den: u64) -> Self {
        let g = gcd(num, den);
        Self { num: num / g, den: den / g }
    }

    /// The numerator.
    #[must_use]
    pub const fn num(self) -> u64 {
        self.num
    }

    /// The denominator.
    #[must_use]
    pub const fn den(self) -> u64 {
        self.den
    }

    /// The nearest double.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "layout figures are far below 2^53")]
    pub fn to_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}

impl std::fmt::Display for Ratio {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.den == 1 { write!(f, "{}", self.num) } else { write!(f, "{}/{}", self.num, self.den) }
    }
}

/// What the elements of one block have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// No block: every element stands alone (a scale, if any, is one per tensor or per head).
    Element,
    /// Consecutive elements of one token's row, across head boundaries.
    Row,
    /// Consecutive elements of one head's vector of one token.
    Head,
    /// The same channel of consecutive tokens.
    Tokens,
    /// One vector of one fixed width, laid out as a record.
    Entry,
}

impl Axis {
    /// The axis in JSON and in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Element => "element",
            Self::Row => "row",
            Self::Head => "head",
            Self::Tokens => "tokens",
            Self::Entry => "entry",
        }
    }
}

/// What a head's vector must look like for its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The width is a multiple of this; a last partial byte is rounded up.
    Multiple(u64),
    /// The width is padded with zeros to whole blocks.
    Pad,
}

/// How the elements of one tensor are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Blocks run through a token's whole row, heads end to end.
    Row(Block),
    /// Blocks run through one head's vector, followed (or led) by `extra` bytes per vector.
    Head {
        /// Codes, and whatever is stored per block.
        block: Block,
        /// Which widths it takes.
        fit: Fit,
        /// Bytes stored once per vector: scales, norms.
        extra: u64,
    },
    /// A rate over the row, not a fixed block (sparse outliers), and `extra` bytes per token.
    Rate {
        /// Average elements and bytes.
        block: Block,
        /// Bytes stored once per token.
        extra: u64,
    },
    /// A record for a vector of exactly `dim` elements.
    Entry {
        /// The only width it takes.
        dim: u64,
        /// The record's bytes.
        bytes: u64,
    },
    /// Blocks run over consecutive tokens of one channel.
    Channel(Block),
    /// A record for `tokens` consecutive tokens of one head, whatever its width.
    TokenGroup {
        /// Tokens per record.
        tokens: u64,
        /// The record's bytes.
        bytes: u64,
    },
}

impl Packing {
    /// One head's vector in whole blocks of `block`.
    pub(super) const fn head(block: Block) -> Self {
        Self::Head { block, fit: Fit::Multiple(block.elements), extra: 0 }
    }

    /// What the blocks run along.
    #[must_use]
    pub const fn axis(self) -> Axis {
        match self {
            Self::Row(Block { elements: 1, .. }) => Axis::Element,
            Self::Row(_) | Self::Rate { .. } => Axis::Row,
            Self::Head { .. } => Axis::Head,
            Self::Entry { .. } => Axis::Entry,
            Self::Channel(_) | Self::TokenGroup { .. } => Axis::Tokens,
        }
    }

    /// The smallest block that repeats; formats that store something once per vector are taken at
    /// [`LISTED_HEAD_DIM`].
    #[must_use]
    pub const fn block(self) -> Block {
        match self {
            Self::Row(block) | Self::Head { block, extra: 0, .. } | Self::Rate { block, .. } => block,
            Self::Head { block, extra, .. } => Block {
                elements: LISTED_HEAD_DIM,
                bytes: (LISTED_HEAD_DIM * block.bytes).div_ceil(block.elements) + extra,
            },
            Self::Entry { dim, bytes } => Block { elements: dim, bytes },
            Self::Channel(block) => block,
            Self::TokenGroup { tokens, bytes } => Block { elements: tokens * LISTED_HEAD_DIM, bytes },
        }
    }

    /// Bytes of `entries` entries of `heads` vectors of `dim` elements, all of them packed.
    pub(super) fn bytes(
        self,
        codec: &'static str,
        heads: u64,
        dim: u64,
        entries: u64,
    ) -> Result<Bytes, CodecError> {
        let row = heads.checked_mul(dim).ok_or(Overflow)?;
        let entry = match self {
            Self::Row(block) => block.bytes_for(codec, row)?,
            Self::Head { block, fit, extra } => {
                let vector = match fit {
                    Fit::Pad => {
                        let padded = dim.checked_next_multiple_of(block.elements).ok_or(Overflow)?;
                        block.bytes_for(codec, padded)?
                    }
                    Fit::Multiple(of) if dim.is_multiple_of(of) => block.rate(dim)?,
                    Fit::Multiple(of) => {
                        return Err(CodecError::Indivisible { codec, block: of, elements: dim });
                    }
                };
                vector.checked_add(extra).and_then(|v| v.checked_mul(heads)).ok_or(Overflow)?
            }
            Self::Rate { block, extra } => block.rate(row)?.checked_add(extra).ok_or(Overflow)?,
            Self::Entry { dim: only, bytes } => {
                if dim != only {
                    return Err(CodecError::Width { codec, only, dim });
                }
                heads.checked_mul(bytes).ok_or(Overflow)?
            }
            Self::Channel(block) => return grouped(codec, block.elements, block.bytes, row, entries),
            Self::TokenGroup { tokens, bytes } => return grouped(codec, tokens, bytes, heads, entries),
        };
        Ok(Bytes::new(entry).times(entries)?)
    }
}

/// Bytes of `entries` tokens in records of `tokens` tokens, `lanes` records side by side. Less than a group is given
/// its exact share where that is whole, so that one entry's average can be asked for.
fn grouped(
    codec: &'static str,
    tokens: u64,
    bytes: u64,
    lanes: u64,
    entries: u64,
) -> Result<Bytes, CodecError> {
    let total = Bytes::new(entries).times(lanes)?.times(bytes)?.get();
    if !total.is_multiple_of(tokens) {
        return Err(CodecError::TokenGroup { codec, tokens, entries });
    }
    Ok(Bytes::new(total / tokens))
}

/// Which tokens stay in full precision ([`FULL_PRECISION_BYTES`] per element).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Residual {
    /// None.
    None,
    /// Those past the last multiple of this: n mod R.
    Remainder(u64),
    /// The newest R: min(n, R).
    Newest(u64),
    /// Those generated since the last flush: g mod R after g generated tokens; the prompt is packed whole.
    SinceFlush(u64),
}

impl Residual {
    /// The most tokens that are ever in full precision (R itself for a sliding window).
    #[must_use]
    pub const fn window(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Remainder(r) | Self::Newest(r) | Self::SinceFlush(r) => r,
        }
    }

    /// Tokens in full precision after a prompt of `prompt` and `generated` tokens more.
    pub(super) const fn tokens(self, prompt: u64, generated: u64) -> u64 {
        let n = prompt + generated;
        match self {
            Self::None => 0,
            Self::Remainder(r) => n % r,
            Self::Newest(r) => {
                if n < r {
                    n
                } else {
                    r
                }
            }
            Self::SinceFlush(r) => generated % r,
        }
    }
}

/// One side (K or V) of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SideLayout {
    /// How its elements are packed.
    pub packing: Packing,
    /// What stays in full precision.
    pub residual: Residual,
}

impl SideLayout {
    pub(super) const fn new(packing: Packing) -> Self {
        Self { packing, residual: Residual::None }
    }

    pub(super) const fn with(packing: Packing, residual: Residual) -> Self {
        Self { packing, residual }
    }

    /// Bytes after a prompt of `prompt` and `generated` tokens more.
    pub(super) fn bytes(
        self,
        codec: &'static str,
        (heads, dim): (u64, u64),
        prompt: u64,
        generated: u64,
    ) -> Result<Bytes, CodecError> {
        let n = prompt.checked_add(generated).ok_or(Overflow)?;
        let full = self.residual.tokens(prompt, generated);
        let packed = self.packing.bytes(codec, heads, dim, n - full)?;
        Ok(packed.plus(Bytes::new(full).times(heads)?.times(dim)?.times(FULL_PRECISION_BYTES)?)?)
    }
}

/// A field of an interleaved block: where it starts and how long it is, for encoders, decoders and kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the reference implementation.
    pub name: &'static str,
    /// First byte inside the block.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Field {
    pub(super) const fn new(name: &'static str, offset: u64, bytes: u64) -> Self {
        Self { name, offset, bytes }
    }
}

/// One row of the table of formats. See the module's head for how to add one.
#[derive(Debug)]
pub struct Layout {
    /// The codec's own name: lower case, underscores.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// Engines' own spellings. Unique over the whole table, letter case aside.
    pub aliases: &'static [&'static str],
    /// Keys, and rows scored like keys.
    pub key: SideLayout,
    /// Values.
    pub value: SideLayout,
    /// K and V of one head share a slot of a multiple of this many bytes; the padding is the value's.
    pub slot_multiple: u64,
    /// Fields of an interleaved block; empty where codes and metadata lie in separate planes.
    pub fields: &'static [Field],
    /// What is stored besides codes.
    pub stored: &'static str,
    /// Shapes it takes.
    pub constraints: &'static str,
    /// Engines and projects that store it, by their names.
    pub engines: &'static [&'static str],
    /// Where the layout is written.
    pub source: &'static str,
    /// How sure it is: read in the implementation (exact), worked out from published figures (derived), or a preset for
    /// what depends on data or is left open (assumed).
    pub basis: Basis,
    /// The CPU reference arithmetic, where there is one: of both sides, or of values where keys have their own.
    pub(super) arithmetic: Option<Arithmetic>,
    /// How keys are encoded where there is arithmetic.
    pub(super) key_arithmetic: KeyArithmetic,
}

impl Layout {
    /// A row whose K and V are packed alike; the rest of the fields by struct update.
    pub(super) const fn alike(name: &'static str, title: &'static str, packing: Packing) -> Self {
        Self::sides(name, title, SideLayout::new(packing), SideLayout::new(packing))
    }

    /// A row whose K and V differ.
    pub(super) const fn sides(
        name: &'static str,
        title: &'static str,
        key: SideLayout,
        value: SideLayout,
    ) -> Self {
        Self {
            name,
            title,
            aliases: &[],
            key,
            value,
            slot_multiple: 1,
            fields: &[],
            stored: "codes only",
            constraints: "any shape",
            engines: &[],
            source: "",
            basis: Basis::Exact,
            arithmetic: None,
            key_arithmetic: KeyArithmetic::LikeValues,
        }
    }

    /// The row as this build carries it: without the feature `arithmetic`, without functions that encode and decode, for a
    /// planner's page asks for sizes alone.
    pub(super) const fn linked(self) -> Self {
        if cfg!(feature = "arithmetic") {
            self
        } else {
            Self { arithmetic: None, key_arithmetic: KeyArithmetic::LikeValues, ..self }
        }
    }

    /// The block of K and V together: the common block where they agree, otherwise both side by side.
    #[must_use]
    pub fn block(&self) -> Block {
        let (k, v) = (self.key.packing.block(), self.value_block());
        if k == v { k } else { k.beside(v) }
    }

    /// The value's block, with its share of the slot's padding at [`LISTED_HEAD_DIM`].
    #[must_use]
    pub fn value_block(&self) -> Block {
        let (k, v) = (self.key.packing.block(), self.value.packing.block());
        Block { bytes: v.bytes + self.padding(k.bytes + v.bytes), ..v }
    }

    /// Padding that brings a head's slot of `bytes` to its multiple.
    pub(super) const fn padding(&self, bytes: u64) -> u64 {
        (self.slot_multiple - bytes % self.slot_multiple) % self.slot_multiple
    }
}
