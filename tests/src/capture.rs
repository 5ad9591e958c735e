//! Real activations and engine-stored bytes: `data/capture`, see its PROVENANCE.md.

use flate2::read::GzDecoder;
use kvplan_kernels::quality::{Activations, QualityError, Shape};
use std::io::Read as _;
use std::path::PathBuf;

/// Layers of SmolLM2-135M in the capture.
pub const LAYERS: [u32; 4] = [0, 10, 20, 29];
/// Tokens of the capture.
pub const TOKENS: usize = 512;
/// Query heads.
pub const HEADS: usize = 9;
/// KV heads.
pub const KV_HEADS: usize = 3;
/// Head width.
pub const HEAD_DIM: usize = 64;

/// A file of `data/capture`, unpacked when it ends in `.gz`.
///
/// # Errors
/// When it cannot be read.
pub fn file(name: &str) -> std::io::Result<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/capture").join(name);
    let bytes = std::fs::read(path)?;
    if !name.ends_with(".gz") {
        return Ok(bytes);
    }
    let mut out = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut out)?;
    Ok(out)
}

/// Little-endian f32 values.
#[must_use]
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// One layer's q, k and v, widened from f16.
#[derive(Debug, Clone)]
pub struct Layer {
    /// `[tokens, heads, head_dim]`.
    pub q: Vec<f32>,
    /// `[tokens, kv_heads, head_dim]`.
    pub k: Vec<f32>,
    /// `[tokens, kv_heads, head_dim]`.
    pub v: Vec<f32>,
}

impl Layer {
    /// Reads a layer of the capture.
    ///
    /// # Errors
    /// When the file cannot be read or is no such safetensors file.
    pub fn read(layer: u32) -> Result<Self, Box<dyn std::error::Error>> {
        let bytes = file(&format!("smollm2-135m.L{layer:02}.safetensors.gz"))?;
        let tensors = safetensors::SafeTensors::deserialize(&bytes)?;
        let values = |name: &str| -> Result<Vec<f32>, Box<dyn std::error::Error>> {
            let tensor = tensors.tensor(&format!("layer.{layer}.{name}"))?;
            Ok(kvplan_core::codec::Codec::F16.decode(HEAD_DIM, tensor.data())?)
        };
        Ok(Self { q: values("q")?, k: values("k")?, v: values("v")? })
    }

    /// The layer as the quality functions take it.
    ///
    /// # Errors
    /// When the tensors do not have the capture's shape.
    pub fn activations(&self) -> Result<Activations<'_>, QualityError> {
        let shape =
            Shape { tokens: TOKENS, heads: HEADS, kv_heads: KV_HEADS, head_dim: HEAD_DIM, window: None };
        Activations::new(shape, &self.q, &self.k, &self.v)
    }

    /// The vectors of one of `heads` heads of a tensor, token after token.
    #[must_use]
    pub fn head(tensor: &[f32], heads: usize, head: usize) -> Vec<f32> {
        tensor.chunks_exact(HEAD_DIM).skip(head).step_by(heads).flatten().copied().collect()
    }
}
