//! The rows of the table, one file per family.

pub mod block_gtq;
pub(super) mod exllama;
pub(super) mod float;
pub(super) mod fp4;
pub(super) mod fp8;
pub(super) mod ggml;
pub(super) mod hf;
pub(super) mod kivi;
pub(super) mod kvquant;
pub(super) mod lmdeploy;
pub(super) mod mla;
pub(super) mod mlx;
pub(super) mod rotation;
pub(super) mod turboquant;
pub(super) mod vllm;

/// llama.cpp, whose type names are ggml's.
pub(super) const GGML: &str = "llama.cpp";
const VLLM: &str = "vllm";
const SGLANG: &str = "sglang";
const TRT: &str = "tensorrt-llm";
const HF: &str = "transformers";
const MLX: &str = "mlx";
const EXL3: &str = "exllamav3";
