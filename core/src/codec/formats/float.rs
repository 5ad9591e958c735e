//! Plain floating point.

use super::{EXL3, GGML, HF, MLX, SGLANG, TRT, VLLM};
use crate::codec::layout::{Block, Layout, Packing};
use crate::codec::reference::float;

const fn float(name: &'static str, title: &'static str, bytes: u64) -> Layout {
    Layout::alike(name, title, Packing::Row(Block::new(1, bytes)))
}

pub(in crate::codec) const F32: Layout = Layout {
    aliases: &["float32", "fp32", "float"],
    engines: &[GGML, HF, MLX, VLLM],
    source: "IEEE 754 binary32",
    arithmetic: Some(float::F32),
    ..float("f32", "32-bit float", 4)
};

pub(in crate::codec) const F16: Layout = Layout {
    aliases: &["float16", "fp16", "half"],
    engines: &[GGML, VLLM, SGLANG, TRT, HF, MLX, EXL3],
    source: "IEEE 754 binary16",
    arithmetic: Some(float::F16),
    ..float("f16", "16-bit float", 2)
};

pub(in crate::codec) const BF16: Layout = Layout {
    aliases: &["bfloat16"],
    engines: &[GGML, VLLM, SGLANG, TRT, HF, MLX],
    source: "bfloat16: the upper half of IEEE 754 binary32",
    arithmetic: Some(float::BF16),
    ..float("bf16", "bfloat16", 2)
};
