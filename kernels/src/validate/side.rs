//! One side of a layer's cache in one codec, as the runner needs it.

use super::case::CaseShape;
use crate::convert;
use crate::cpu::dequantize;
use crate::gpu::{Buffer, Dispatch, GpuError, POISON};
use crate::op::{Beside, CodecKernels, SideKernels, Span, Tensor};
use kvplan_core::codec::{CodecError, Side};

/// K or V of one layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Store {
    pub(super) kernels: &'static SideKernels,
    pub(super) tensor: Tensor,
}

impl Store {
    pub(super) const fn new(kernels: &'static CodecKernels, shape: &CaseShape, side: Side) -> Self {
        let head_dim = match side {
            Side::Key => shape.k_dim,
            Side::Value => shape.v_dim,
        };
        let tensor = Tensor { tokens: shape.tokens, heads: shape.kv_heads, head_dim };
        Self { kernels: kernels.side(side), tensor }
    }

    /// Bytes as the planner counts them.
    pub(super) fn predicted(&self) -> Result<u64, CodecError> {
        let Tensor { tokens, heads, head_dim } = self.tensor;
        let [tokens, heads, dim] = [tokens, heads, head_dim].map(u64::from);
        Ok(self.kernels.codec.store_bytes(self.kernels.side, heads, dim, tokens)?.get())
    }

    /// Elements.
    pub(super) const fn elements(&self) -> u64 {
        self.tensor.elements()
    }

    /// The twin's packed bytes.
    pub(super) fn pack(&self, values: &[f32]) -> Result<Vec<u8>, GpuError> {
        let bytes = usize::try_from(self.kernels.bytes(self.tensor)?).unwrap_or(usize::MAX);
        let bits: Vec<u32> = values.iter().map(|x| x.to_bits()).collect();
        let mut words = vec![POISON; bytes.div_ceil(4)];
        self.kernels.quantize_twin(self.tensor, &bits, Span::default(), &[], &mut words)?;
        let mut packed: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        packed.truncate(bytes);
        Ok(packed)
    }

    /// The twin's decoded vectors of packed bytes, in the decoder's domain.
    pub(super) fn unpack(&self, packed: &[u8]) -> Result<Vec<f32>, GpuError> {
        let params = self.kernels.packed(self.tensor, Span::default())?;
        let mut bits = vec![0u32; usize::try_from(self.elements()).unwrap_or(0)];
        dequantize::rows(&self.kernels.decoder, &params, &words(packed), &[], &mut bits);
        Ok(bits.into_iter().map(f32::from_bits).collect())
    }

    /// Decoded vectors as the quantizer was given them: turned back where the decoder leaves them turned.
    pub(super) fn plain(&self, decoded: &[f32]) -> Vec<f32> {
        convert::turn_back(self.kernels.domain, self.tensor.head_dim, decoded)
    }

    pub(super) fn quantize<'a>(
        &self,
        src: &'a Buffer,
        dst: &'a Buffer,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        self.kernels.quantize(self.tensor, src, Beside::NOTHING, dst)
    }

    pub(super) fn dequantize<'a>(&self, src: &'a Buffer, dst: &'a Buffer) -> Result<Dispatch<'a>, GpuError> {
        self.kernels.dequantize(self.tensor, src, Beside::NOTHING, dst)
    }
}

/// Bytes as words, the last one filled up with zeros.
pub(super) fn words(bytes: &[u8]) -> Vec<u32> {
    bytes
        .chunks(4)
        .map(|chunk| {
            let mut word = [0; 4];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            u32::from_le_bytes(word)
        })
        .collect()
}
