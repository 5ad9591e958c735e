//! A side's quantize and dequantize launches, and how much they pack.

use kvplan_core::codec::{ArithmeticError, Packing, Route};

use super::geometry::window_tokens;
use super::{Arrangement, Beside, SideKernels, Span, Tensor, word};
use crate::cpu::quantize;
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Packed, Rows, Shader, Window};

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

impl SideKernels {
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
