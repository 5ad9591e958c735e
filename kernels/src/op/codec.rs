//! What the kernels know of one codec, and its quantize and dequantize launches.

use kvplan_core::codec::{ArithmeticError, Codec, CodecError, Packing, Route, Side, SideLayout};

use super::geometry::window_tokens;
use super::{Arrangement, Span, Tensor, word};
use crate::cpu::kv::Decoder;
use crate::cpu::quantize::{self, Quantize};
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Packed, Rows, Shader, Window};

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

/// Units that an invocation takes: more than one where enough invocations are left to fill a device, since to start one
/// costs something.
fn run(units: u64) -> u32 {
    /// Of a large GPU, or nearly so.
    const ENOUGH: u64 = 1 << 14;
    [8, 4, 2].into_iter().find(|run| units / u64::from(*run) >= ENOUGH).unwrap_or(1)
}

/// A shader's constant, or what stands for one it does not have.
fn constant(shader: &Shader, name: &str, without: u32) -> u64 {
    u64::from(shader.constant(name).unwrap_or(without))
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
    fn encodes(&self, head_dim: u32) -> Result<(), GpuError> {
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

    /// Bytes of the tensor as `kvplan-core` lays it out, its window included.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the layout cannot hold the shape.
    pub fn bytes(&self, tensor: Tensor) -> Result<u64, GpuError> {
        let Tensor { tokens, heads, head_dim } = tensor;
        let [tokens, heads, dim] = [tokens, heads, head_dim].map(u64::from);
        Ok(self.fits(self.codec.store_bytes(self.side, heads, dim, tokens))?.get())
    }

    /// Parameters of `quantize/*`.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the layout cannot hold the shape.
    pub fn rows(&self, tensor: Tensor, beside: Span) -> Result<Rows, GpuError> {
        self.encodes(tensor.head_dim)?;
        let Tensor { tokens, heads, head_dim } = tensor;
        let packed = tokens - window_tokens(self.layout().residual, tokens);
        let (rows, width, row_heads) = match self.packing() {
            Packing::Head { .. } | Packing::Entry { .. } => {
                (u64::from(packed) * u64::from(heads), u64::from(head_dim), 1)
            }
            Packing::Row(_) | Packing::Rate { .. } | Packing::Channel(_) | Packing::TokenGroup { .. } => {
                (u64::from(packed), u64::from(heads) * u64::from(head_dim), u64::from(heads))
            }
        };
        // A transform that exists for some widths only is the arithmetic's restriction, not the layout's.
        let coder = self.codec.rows(self.side, Route::Reference, head_dim as usize);
        if let Err(error @ ArithmeticError::NoTransform { .. }) = coder {
            return super::refuse(self.quantize, error.to_string());
        }
        let of = |what: &str, n: u64| word(self.quantize, what, n);
        let bytes = self.fits(self.codec.row_bytes(self.side, row_heads, u64::from(head_dim)))?.get();
        // The elements are counted in 32 bits too.
        of("elements", tensor.elements())?;
        Ok(Rows {
            rows: of("rows", rows)?,
            width: of("elements per row", width)?,
            row_bytes: of("bytes per row", bytes)?,
            heads,
            head_dim,
            rows_per_unit: match bytes % 4 {
                0 => 1,
                2 => 2,
                _ => 4,
            },
            beside: beside.first,
            beside_words: beside.words,
        })
    }

    /// Where the tokens that stay in 16 bits come from and go to; `None` where none do.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the layout cannot hold the shape.
    pub fn window(&self, tensor: Tensor) -> Result<Option<Window>, GpuError> {
        let tokens = window_tokens(self.layout().residual, tensor.tokens);
        if tokens == 0 {
            return Ok(None);
        }
        let token = u64::from(tensor.heads) * u64::from(tensor.head_dim);
        let elements = u64::from(tokens).saturating_mul(token);
        let bytes = elements.saturating_mul(kvplan_core::codec::FULL_PRECISION_BYTES);
        let to = self.bytes(tensor)?.saturating_sub(bytes);
        if !to.is_multiple_of(4) || !elements.is_multiple_of(2) {
            return super::refuse(
                self.quantize,
                format!("a window of {elements} elements from byte {to} on"),
            );
        }
        let of = |what: &str, n: u64| word(self.quantize, what, n);
        Ok(Some(Window {
            first: of("elements", tensor.elements().saturating_sub(elements))?,
            elements: of("elements", elements)?,
            to: of("words", to / 4)?,
        }))
    }

    /// What [`SideKernels::quantize`] does, on the CPU: the twins of the same kernels. `src` and `dst` are as its buffers.
    ///
    /// # Errors
    /// As [`SideKernels::quantize`].
    pub fn quantize_twin(
        &self,
        tensor: Tensor,
        src: &[u32],
        span: Span,
        beside: &[u32],
        dst: &mut [u32],
    ) -> Result<(), GpuError> {
        (self.quantize_cpu)(&self.rows(tensor, span)?, src, beside, dst);
        if let Some(window) = self.window(tensor)? {
            quantize::window(&window, src, dst);
        }
        Ok(())
    }

    /// Encodes a tensor: `src` is `[token][head][element]`, `dst` what `kvplan-core`'s reference writes.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the layout cannot hold the shape or a buffer is too small.
    pub fn quantize<'a>(
        &self,
        tensor: Tensor,
        src: &'a Buffer,
        beside: Beside<'a>,
        dst: &'a Buffer,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        let shader = self.quantize;
        self.room(shader, tensor, dst, src)?;
        let rows = self.rows(tensor, beside.span(shader, self.side)?)?;
        let mut launches = Vec::new();
        for shader in [Some(shader), self.then].into_iter().flatten().filter(|_| rows.rows > 0) {
            // A format that fills rows up has as many elements more.
            let width = u64::from(rows.width).next_multiple_of(constant(shader, "PADDED", 1));
            let elements = u64::from(rows.rows) * width;
            // Kernels that go by rows have no unit of elements.
            let units = match shader.constant("UNIT").or(shader.constant("BLOCK")) {
                Some(unit) => elements.div_ceil(u64::from(unit)),
                None => u64::from(rows.rows.div_ceil(rows.rows_per_unit)),
            };
            let run = if shader.overrides.contains(&"RUN") { run(units) } else { 1 };
            // Several invocations may share a unit.
            let lanes = constant(shader, "LANES", 1);
            let launch = Dispatch::new(shader)
                .params(rows.bytes())
                .buffers([src, beside.or(src), dst])
                .invocations(units.div_ceil(u64::from(run)).saturating_mul(lanes));
            launches.push(if run > 1 { launch.constant("RUN", run) } else { launch });
        }
        if let Some(window) = self.window(tensor)? {
            let shader = &shader::quantize::WINDOW;
            let launch = Dispatch::new(shader).params(window.bytes()).buffers([src, dst]);
            launches.push(launch.invocations(u64::from(window.elements) / 2));
        }
        Ok(launches)
    }

    /// Decodes a tensor, whose `head_dim` is a multiple of 4, into the decoder's [`Domain`].
    ///
    /// # Errors
    /// As [`SideKernels::quantize`].
    pub fn dequantize<'a>(
        &self,
        tensor: Tensor,
        src: &'a Buffer,
        beside: Beside<'a>,
        dst: &'a Buffer,
    ) -> Result<Dispatch<'a>, GpuError> {
        let shader = self.dequantize;
        let params = self.packed(tensor, beside.span(shader, self.side)?)?;
        self.room(shader, tensor, src, dst)?;
        let constant = |name| u64::from(shader.constant(name).unwrap_or(1));
        let columns = u64::from(tensor.heads) * u64::from(tensor.head_dim) / constant("UNIT");
        let runs = u64::from(tensor.tokens).div_ceil(constant("RUN"));
        let whole = shader.overrides.contains(&"WHOLE") && tensor.head_dim.is_multiple_of(16);
        let mut launch = Dispatch::new(shader).params(params.bytes()).buffers([src, beside.or(src), dst]);
        // As `super::launch` does for attention.
        if shader.overrides.contains(&"src_PAGES") {
            launch = launch.constant("src_PAGES", u32::from(params.src_side.page_tokens > 1));
        }
        if whole {
            launch = launch.constant("WHOLE", 1);
        }
        let measured = shader.constant("src_FACTORS").unwrap_or(0) > 0;
        let vectors = runs * u64::from(tensor.heads);
        Ok(launch.invocations(match (measured, whole) {
            (true, _) => vectors,
            (false, true) => runs * columns / 4,
            (false, false) => runs * columns,
        }))
    }

    /// Parameters of `dequantize/rows`.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the layout cannot hold the shape.
    pub fn packed(&self, tensor: Tensor, beside: Span) -> Result<Packed, GpuError> {
        let shader = self.dequantize;
        let unit = shader.constant("UNIT").unwrap_or(1);
        if !tensor.head_dim.is_multiple_of(unit) {
            let message = format!("heads of {} elements: a multiple of {unit} is decoded", tensor.head_dim);
            return super::refuse(shader, message);
        }
        let src_side = self.geometry(tensor, Arrangement::Rows, beside)?;
        Ok(Packed { src_side, tokens: tensor.tokens })
    }

    /// Refuses buffers that do not hold the tensor.
    fn room(
        &self,
        shader: &'static Shader,
        tensor: Tensor,
        packed: &Buffer,
        values: &Buffer,
    ) -> Result<(), GpuError> {
        let (bytes, plain) = (self.bytes(tensor)?, tensor.elements().saturating_mul(4));
        if packed.bytes() < bytes || values.bytes() < plain {
            let (packed, values) = (packed.bytes(), values.bytes());
            let message =
                format!("{bytes} packed and {plain} plain bytes needed, {packed} and {values} given");
            return super::refuse(shader, message);
        }
        Ok(())
    }
}
