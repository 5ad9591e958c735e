//! Rows to a codec's bytes and back on an adapter: what `kvplan encode --on gpu` runs. The bytes are those of
//! [`kvplan_core::codec`]'s reference encoder.

use crate::gpu::{Buffer, Gpu, GpuError};
use crate::op::{Beside, CodecKernels, Domain, Hadamard, SideKernels, Span, Tensor};
use kvplan_core::codec::{ArithmeticError, Codec, Route, RowCoder, Side, StaticScale};

/// What cannot be converted on an adapter.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConvertError {
    /// The format has no kernels.
    #[error("{codec} has no kernels: convert it on the CPU")]
    NoKernels {
        /// The codec.
        codec: Codec,
    },
    /// Kernels pack a cache, whose newest tokens stay as they are; rows alone are packed all.
    #[error(
        "{codec} keeps a window of tokens in 16 bits: its kernels pack a cache, not rows; convert it on the CPU"
    )]
    Window {
        /// The codec.
        codec: Codec,
    },
    /// More rows than one launch counts.
    #[error("{rows} rows are more than kernels count; split them")]
    TooMany {
        /// The rows.
        rows: usize,
    },
    /// What the reference refuses too: width, rows that are not whole, a scale the format does not take.
    #[error(transparent)]
    Arithmetic(#[from] ArithmeticError),
    /// The device.
    #[error(transparent)]
    Gpu(#[from] GpuError),
}

/// Rows of one side of a codec on an adapter.
#[derive(Debug, Clone, Copy)]
pub struct Converter {
    kernels: &'static SideKernels,
    rows: RowCoder,
    scale: Option<StaticScale>,
}

impl Converter {
    /// For rows of `dim` elements, each divided by `scale` before it is encoded where one is given.
    ///
    /// # Errors
    /// [`ConvertError`] when the codec has no kernels or no rows of its own, or does not take the width or the scale.
    pub fn new(
        codec: Codec,
        side: Side,
        dim: usize,
        scale: Option<StaticScale>,
    ) -> Result<Self, ConvertError> {
        let kernels = CodecKernels::of(codec).ok_or(ConvertError::NoKernels { codec })?.side(side);
        let rows = codec.rows(side, Route::Reference, dim)?;
        if kernels.layout().residual.window() > 0 {
            return Err(ConvertError::Window { codec });
        }
        if let Some(scale) = scale {
            // The reference says whether the format has such a scale.
            codec.encode_scaled(&[scale], dim, &vec![0.0; dim])?;
        }
        Ok(Self { kernels, rows, scale })
    }

    /// Values to bytes: exactly the reference's.
    ///
    /// # Errors
    /// [`ConvertError`] when the values are not whole rows or not finite, or the device refuses.
    pub async fn encode(&self, gpu: &Gpu, values: &[f32]) -> Result<Vec<u8>, ConvertError> {
        let dim = self.rows.dim();
        if !values.len().is_multiple_of(dim) {
            return Err(ArithmeticError::PartialRow { dim, values: values.len() }.into());
        }
        let tensor = self.tensor(values.len() / dim)?;
        if tensor.tokens == 0 {
            return Ok(Vec::new());
        }
        let scales = self.scales(gpu).await?;
        let src = gpu.upload_values("values", values).await?;
        let dst = gpu.buffer("packed rows", self.kernels.bytes(tensor)?).await?;
        gpu.run(&self.kernels.quantize(tensor, &src, beside(scales.as_ref()), &dst)?).await?;
        Ok(gpu.read(&dst).await?)
    }

    /// Bytes to values: exactly the reference's for formats that keep vectors as they are; for formats that turn them,
    /// the kernels' exact turned values, turned back in double precision and rounded once.
    ///
    /// # Errors
    /// [`ConvertError`] when the bytes are not whole rows, or the device refuses.
    pub async fn decode(&self, gpu: &Gpu, bytes: &[u8]) -> Result<Vec<f32>, ConvertError> {
        let (dim, row_bytes) = (self.rows.dim(), self.rows.row_bytes());
        if !bytes.len().is_multiple_of(row_bytes) {
            let codec = self.kernels.codec.name();
            return Err(ArithmeticError::PartialBytes { codec, dim, row_bytes, bytes: bytes.len() }.into());
        }
        let tensor = self.tensor(bytes.len() / row_bytes)?;
        if tensor.tokens == 0 {
            return Ok(Vec::new());
        }
        let scales = self.scales(gpu).await?;
        let src = gpu.upload("packed rows", bytes).await?;
        let dst = gpu.buffer("values", tensor.elements().saturating_mul(4)).await?;
        gpu.run(&[self.kernels.dequantize(tensor, &src, beside(scales.as_ref()), &dst)?]).await?;
        Ok(turn_back(self.kernels.domain, tensor.head_dim, &gpu.read_values(&dst).await?))
    }

    fn tensor(&self, rows: usize) -> Result<Tensor, ConvertError> {
        let narrow = |n: usize| u32::try_from(n).map_err(|_| ConvertError::TooMany { rows });
        Ok(Tensor { tokens: narrow(rows)?, heads: 1, head_dim: narrow(self.rows.dim())? })
    }

    async fn scales(&self, gpu: &Gpu) -> Result<Option<Buffer>, GpuError> {
        match self.scale {
            Some(scale) => Ok(Some(gpu.upload_values("scale", &[scale.get()]).await?)),
            None => Ok(None),
        }
    }
}

fn beside(scale: Option<&Buffer>) -> Beside<'_> {
    let one = Span { first: 0, words: 1 };
    scale.map_or(Beside::NOTHING, |buffer| Beside { buffer: Some(buffer), key: one, value: one })
}

/// Queries whose products with a codec's turned keys are those of plain queries with plain keys.
#[must_use]
pub fn turn_queries(domain: Domain, head_dim: u32, values: &[f32]) -> Vec<f32> {
    each(domain, head_dim, values, |h, run| {
        signs(h.before, run);
        hadamard(run);
        signs(h.after, run);
        // A key came out √n times as long, unless normalized; the product must not.
        scale(run, if h.normalized { -0.5 } else { -1.0 });
    })
}

/// Vectors out of a decoder's domain.
#[must_use]
pub fn turn_back(domain: Domain, head_dim: u32, values: &[f32]) -> Vec<f32> {
    each(domain, head_dim, values, |h, run| {
        signs(h.after, run);
        hadamard(run);
        signs(h.before, run);
        scale(run, if h.normalized { -0.5 } else { -1.0 });
    })
}
fn each(domain: Domain, head_dim: u32, values: &[f32], work: impl Fn(&Hadamard, &mut [f64])) -> Vec<f32> {
    let h = match domain {
        Domain::Plain => return values.to_vec(),
        Domain::Hadamard(h) => h,
    };
    let run = usize::try_from(h.run.unwrap_or(head_dim)).unwrap_or(usize::MAX);
    let mut wide: Vec<f64> = values.iter().map(|x| f64::from(*x)).collect();
    wide.chunks_exact_mut(run.max(1)).for_each(|run| work(&h, run));
    wide.into_iter().map(single).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "rounded once, to what kernels take")]
const fn single(x: f64) -> f32 {
    x as f32
}

/// Negates element i where bit i of the words is set, the words over and over.
fn signs(words: &[u128], run: &mut [f64]) {
    for (x, bit) in
        run.iter_mut().zip(words.iter().flat_map(|word| (0..128).map(move |i| word >> i & 1)).cycle())
    {
        if bit == 1 {
            *x = -*x;
        }
    }
}

/// The unnormalized transform; `run` is a power of two long.
fn hadamard(run: &mut [f64]) {
    let mut half = 1;
    while half < run.len() {
        for pair in run.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

/// Multiplies by the run's length to this power.
fn scale(run: &mut [f64], power: f64) {
    let length = f64::from(u32::try_from(run.len()).unwrap_or(u32::MAX));
    let factor = length.powf(power);
    run.iter_mut().for_each(|x| *x *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &[u128] = &[0b1011];
    const AFTER: &[u128] = &[0b0110];

    /// y = D₂·H·D₁·x by the definition, entry by entry: H[i][j] = (−1)^popcount(i & j).
    fn turned(h: Hadamard, x: &[f32]) -> Vec<f32> {
        let sign = |words: &[u128], i: usize| if words[0] >> i & 1 == 1 { -1.0f32 } else { 1.0 };
        // Four elements.
        let norm = if h.normalized { 0.5 } else { 1.0 };
        (0..x.len())
            .map(|i| {
                let entry = |j: usize| if (i & j).count_ones() % 2 == 1 { -1.0 } else { 1.0 };
                let sum: f32 = (0..x.len()).map(|j| entry(j) * sign(h.before, j) * x[j]).sum();
                sum * sign(h.after, i) * norm
            })
            .collect()
    }

    #[test]
    fn products_survive_turning_both_and_vectors_come_back() {
        let (q, k) = ([1.0f32, -2.0, 0.5, 3.0], [0.25f32, 4.0, -1.0, 2.0]);
        for normalized in [true, false] {
            let h = Hadamard { run: None, before: BEFORE, after: AFTER, normalized };
            let turned = turned(h, &k);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let got = dot(&turn_queries(Domain::Hadamard(h), 4, &q), &turned);
            assert!((got - dot(&q, &k)).abs() < 1e-5, "{got} for {}", dot(&q, &k));
            let back = turn_back(Domain::Hadamard(h), 4, &turned);
            assert!(back.iter().zip(k).all(|(a, b)| (a - b).abs() < 1e-6), "{back:?}");
        }
        assert_eq!(turn_queries(Domain::Plain, 4, &q), q);
    }
}
