//! The codecs that have kernels: one row each.

use kvplan_core::codec::{Codec, CodecError, Side};

use super::word;
use crate::cpu::kv::{self, Load4};
use crate::cpu::quantize::{self, Quantize};
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Packed, Rows, Shader};

/// Everything the kernels know of one codec.
#[derive(Debug)]
pub struct CodecKernels {
    /// The codec.
    pub codec: Codec,
    /// `quantize/*`.
    pub quantize: &'static Shader,
    /// Its twin.
    pub quantize_cpu: Quantize,
    /// `dequantize/rows` with the codec's decoder.
    pub dequantize: &'static Shader,
    /// The decoder's twin, which the twins of `dequantize/rows` and `attention/*` take.
    pub load4: Load4,
    /// `attention/decode`.
    pub decode: &'static Shader,
    /// `attention/prefill`.
    pub prefill: &'static Shader,
    /// `attention/naive_scores`.
    pub naive_scores: &'static Shader,
    /// `attention/naive_output`.
    pub naive_output: &'static Shader,
}

macro_rules! codecs {
    ($($codec:ident $shader:ident $twin:ident;)*) => {
        /// Every codec with kernels, in `kvplan codecs` order.
        pub static CODECS: &[CodecKernels] = &[$(CodecKernels {
            codec: Codec::$codec,
            quantize: &shader::quantize::$shader,
            quantize_cpu: quantize::$twin,
            dequantize: &shader::dequantize::rows::$shader,
            load4: kv::$twin,
            decode: &shader::attention::decode::$shader,
            prefill: &shader::attention::prefill::$shader,
            naive_scores: &shader::attention::naive_scores::$shader,
            naive_output: &shader::attention::naive_output::$shader,
        }),*];
    };
}

codecs! {
    F16 F16 f16;
    Bf16 BF16 bf16;
    Fp8E4m3 FP8_E4M3 fp8_e4m3;
    Q8_0 Q8_0 q8_0;
    Q4_0 Q4_0 q4_0;
}

impl CodecKernels {
    /// The kernels of a codec.
    #[must_use]
    pub fn of(codec: Codec) -> Option<&'static Self> {
        CODECS.iter().find(|kernels| kernels.codec == codec)
    }

    /// Bytes of a row of `width` elements (all heads of one token), as `kvplan-core` lays it out.
    ///
    /// # Errors
    /// [`CodecError`] when the layout cannot hold the width.
    pub fn row_bytes(&self, width: u32) -> Result<u64, CodecError> {
        Ok(self.codec.row_bytes(Side::Value, 1, u64::from(width))?.get())
    }

    /// Encodes `rows` rows of `width` values.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the layout cannot hold the width or a buffer is too small.
    pub fn quantize<'a>(
        &self,
        rows: u32,
        width: u32,
        src: &'a Buffer,
        dst: &'a Buffer,
    ) -> Result<Dispatch<'a>, GpuError> {
        let shader = self.quantize;
        self.packed(shader, rows, width, dst, src)?;
        let elements = u64::from(rows) * u64::from(width);
        let unit = u64::from(shader.constant("UNIT").unwrap_or(1));
        let launch = Dispatch::new(shader).params(Rows { rows, width }.bytes()).buffers([src, dst]);
        Ok(launch.invocations(elements.div_ceil(unit)))
    }

    /// Decodes `rows` rows of `width` values, a multiple of 4.
    ///
    /// # Errors
    /// As [`CodecKernels::quantize`].
    pub fn dequantize<'a>(
        &self,
        rows: u32,
        width: u32,
        src: &'a Buffer,
        dst: &'a Buffer,
    ) -> Result<Dispatch<'a>, GpuError> {
        let shader = self.dequantize;
        let unit = shader.constant("UNIT").unwrap_or(1);
        if !width.is_multiple_of(unit) {
            return super::refuse(
                shader,
                format!("rows of {width} elements: a multiple of {unit} is decoded"),
            );
        }
        let row_bytes = self.packed(shader, rows, width, src, dst)?;
        let params = Packed { rows, width, row_bytes };
        let launch = Dispatch::new(shader).params(params.bytes()).buffers([src, dst]);
        Ok(launch.invocations(u64::from(rows) * u64::from(width / unit)))
    }

    /// Bytes per row, where both sides' buffers hold all rows.
    fn packed(
        &self,
        shader: &'static Shader,
        rows: u32,
        width: u32,
        packed: &Buffer,
        values: &Buffer,
    ) -> Result<u32, GpuError> {
        let row_bytes = self.row_bytes(width).or_else(|error| super::refuse(shader, error.to_string()))?;
        let rows = u64::from(rows);
        let (bytes, plain) = (row_bytes.saturating_mul(rows), rows * u64::from(width) * 4);
        if packed.bytes() < bytes || values.bytes() < plain {
            let (packed, values) = (packed.bytes(), values.bytes());
            let message =
                format!("{bytes} packed and {plain} plain bytes needed, {packed} and {values} given");
            return super::refuse(shader, message);
        }
        word(shader, "bytes per row", row_bytes)
    }
}
