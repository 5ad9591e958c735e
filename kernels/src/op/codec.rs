//! What the kernels know of one codec.

use kvplan_core::codec::{Codec, CodecError, Packing, Side, SideLayout};

use super::Span;
use crate::cpu::kv::Decoder;
use crate::cpu::quantize::Quantize;
use crate::gpu::{Buffer, GpuError};
use crate::shader::Shader;

/// Everything the kernels know of one codec.
#[derive(Debug)]
pub struct CodecKernels {
    /// The codec.
    pub codec: Codec,
    /// Keys.
    pub key: SideKernels,
    /// Values.
    pub value: SideKernels,
    /// `attention/decode`.
    pub decode: &'static Shader,
    /// `attention/prefill`.
    pub prefill: &'static Shader,
    /// `attention/latent` over rows in the keys' layout.
    pub latent: &'static Shader,
}

/// One side of a codec.
#[derive(Debug)]
pub struct SideKernels {
    /// The codec.
    pub codec: Codec,
    /// Which side of it.
    pub side: Side,
    /// `quantize/*`: what it writes is what `kvplan-core`'s reference writes, token after token.
    pub quantize: &'static Shader,
    /// What runs over its output afterwards, bound alike.
    pub then: Option<&'static Shader>,
    /// Its twin.
    pub quantize_cpu: Quantize,
    /// `dequantize/rows` with the side's decoder.
    pub dequantize: &'static Shader,
    /// The decoder's twin, which the twins of `dequantize/rows` and `attention/*` take.
    pub decoder: Decoder,
    /// `attention/naive_scores` of keys, `attention/naive_output` of values.
    pub naive: &'static Shader,
    /// What the decoder gives.
    pub domain: Domain,
    /// Which head widths the kernels take.
    pub widths: Widths,
}

/// Which head widths a side's kernels take, besides what its layout asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Widths {
    /// All of them.
    Any,
    /// Powers of two in this range: what is turned by one Hadamard transform, in whole bytes.
    PowerOfTwo {
        /// The narrowest.
        least: u32,
        /// The widest.
        most: u32,
    },
    /// Up to this one.
    UpTo(u32),
    /// Any are encoded, filled up with zeros to a multiple of this; only multiples are decoded, because what a decoder
    /// gives is turned in runs of as many. A narrower head's queries are filled up alike.
    Padded(u32),
}

/// How what a decoder gives relates to the vectors that were quantized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// It is them.
    Plain,
    /// It is them turned: whoever attends turns queries alike and outputs back, instead of turning every vector back.
    Hadamard(Hadamard),
}

/// y = D₂·H·D₁·x, run by run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hadamard {
    /// Elements per run; `None` for the whole vector.
    pub run: Option<u32>,
    /// D₁: element i is negated where bit i of the words (128 each, over and over) is set; none of it where empty.
    pub before: &'static [u128],
    /// D₂, in the same way.
    pub after: &'static [u128],
    /// Whether H has its 1/√run. Without, y is √run times as long as x.
    pub normalized: bool,
}

/// What lies beside a cache, for both sides: scales of the tensor or of each head as f32, tables.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The words; `None` binds another buffer in that place, unread.
    pub buffer: Option<&'a Buffer>,
    /// The keys' part of it.
    pub key: Span,
    /// The values' part of it.
    pub value: Span,
}

impl<'a> Beside<'a> {
    /// Nothing: every scale is 1.
    pub const NOTHING: Self =
        Self { buffer: None, key: Span { first: 0, words: 0 }, value: Span { first: 0, words: 0 } };

    /// One side's part, if it lies in the buffer.
    pub(super) fn span(&self, shader: &Shader, side: Side) -> Result<Span, GpuError> {
        let span = match side {
            Side::Key => self.key,
            Side::Value => self.value,
        };
        let words = self.buffer.map_or(0, |buffer| buffer.bytes() / 4);
        if u64::from(span.first) + u64::from(span.words) > words {
            return super::refuse(shader, format!("{span:?} beside the cache, where {words} words are"));
        }
        Ok(span)
    }

    /// The buffer to bind.
    pub(super) fn or(&self, other: &'a Buffer) -> &'a Buffer {
        self.buffer.unwrap_or(other)
    }
}

impl CodecKernels {
    /// The kernels of a codec.
    #[must_use]
    pub fn of(codec: Codec) -> Option<&'static Self> {
        super::CODECS.iter().find(|kernels| kernels.codec == codec)
    }

    /// One side.
    #[must_use]
    pub const fn side(&self, side: Side) -> &SideKernels {
        match side {
            Side::Key => &self.key,
            Side::Value => &self.value,
        }
    }

    /// Both sides, keys first.
    #[must_use]
    pub const fn sides(&self) -> [&SideKernels; 2] {
        [&self.key, &self.value]
    }
}

impl SideKernels {
    /// The side's layout.
    #[must_use]
    pub const fn layout(&self) -> SideLayout {
        match self.side {
            Side::Key => self.codec.layout().key,
            Side::Value => self.codec.layout().value,
        }
    }

    pub(super) const fn packing(&self) -> Packing {
        self.layout().packing
    }

    /// What core says, or its refusal.
    pub(super) fn fits<T>(&self, core: Result<T, CodecError>) -> Result<T, GpuError> {
        core.or_else(|error| super::refuse(self.quantize, error.to_string()))
    }

    /// Refuses head widths that no kernel of this side takes.
    pub(super) fn encodes(&self, head_dim: u32) -> Result<(), GpuError> {
        let takes = match self.widths {
            Widths::Any | Widths::Padded(_) => true,
            Widths::PowerOfTwo { least, most } => {
                head_dim.is_power_of_two() && (least..=most).contains(&head_dim)
            }
            Widths::UpTo(most) => head_dim <= most,
        };
        if takes { Ok(()) } else { self.refuse_width(self.quantize, head_dim) }
    }

    /// Refuses head widths that are not decoded.
    pub(super) fn decodes(&self, head_dim: u32) -> Result<(), GpuError> {
        self.encodes(head_dim)?;
        match self.widths {
            Widths::Padded(run) if !head_dim.is_multiple_of(run) => {
                self.refuse_width(self.dequantize, head_dim)
            }
            Widths::Any | Widths::Padded(_) | Widths::PowerOfTwo { .. } | Widths::UpTo(_) => Ok(()),
        }
    }

    fn refuse_width(&self, shader: &Shader, head_dim: u32) -> Result<(), GpuError> {
        let takes = match self.widths {
            Widths::Any => "any width".to_owned(),
            Widths::PowerOfTwo { least, most } => format!("powers of two from {least} to {most}"),
            Widths::UpTo(most) => format!("up to {most}"),
            Widths::Padded(run) => format!("multiples of {run}"),
        };
        super::refuse(shader, format!("heads of {head_dim} elements: {takes} are taken"))
    }
}
