//! One byte per element: FP8 and INT8 with static scales, and FP8 with block scales.

use super::{HF, SGLANG, TRT, VLLM};
use crate::codec::layout::{Block, Layout, Packing};
use crate::codec::reference::{fp8, int8, mxfp8};
use crate::explain::Basis;

const fn byte(name: &'static str, title: &'static str) -> Layout {
    Layout {
        stored: "codes; one scale per tensor (or per head) outside the cache, 1.0 by default",
        ..Layout::alike(name, title, Packing::Row(Block::new(1, 1)))
    }
}

pub(in crate::codec) const E4M3: Layout = Layout {
    aliases: &["fp8", "fp8_e4m3fn", "float8_e4m3fn", "e4m3", "e4m3fn", "fp8_inc"],
    engines: &[VLLM, SGLANG, TRT, HF],
    source: "OCP 8-bit floating point specification 1.0, E4M3; vLLM 0.33 kv_cache_dtype",
    arithmetic: Some(fp8::E4M3),
    ..byte("fp8_e4m3", "FP8 E4M3, largest value 448")
};

pub(in crate::codec) const E5M2: Layout = Layout {
    aliases: &["float8_e5m2", "e5m2"],
    engines: &[VLLM, SGLANG],
    source: "OCP 8-bit floating point specification 1.0, E5M2; vLLM 0.33 kv_cache_dtype",
    arithmetic: Some(fp8::E5M2),
    ..byte("fp8_e5m2", "FP8 E5M2, largest value 57344")
};

pub(in crate::codec) const INT8: Layout = Layout {
    engines: &[TRT],
    arithmetic: Some(int8::INT8),
    source: "TensorRT-LLM int8 KV cache: a static scale per tensor",
    basis: Basis::Derived,
    ..byte("int8", "INT8 with a static scale per tensor")
};

pub(in crate::codec) const BLOCK128: Layout = Layout {
    aliases: &["fp8_e4m3_block128"],
    stored: "f32 scale per 128 elements",
    constraints: "head_dim a multiple of 128",
    engines: &[VLLM, SGLANG, TRT],
    source: "vLLM 0.33 DeepseekV32IndexerCache (128 + 4 B); SGLang 0.5.23 DSA indexer (128 + 128/128·4 B)",
    ..Layout::alike(
        "fp8_block128",
        "FP8 E4M3 with an f32 scale per 128, as indexer keys are kept",
        Packing::head(Block::affine(128, 8, 4)),
    )
};

pub(in crate::codec) const MXFP8: Layout = Layout {
    stored: "E8M0 scale per 32 elements",
    arithmetic: Some(mxfp8::MXFP8),
    constraints: "head_dim a multiple of 32",
    engines: &[SGLANG],
    source: "OCP Microscaling specification 1.0, MXFP8; SGLang 0.5.23 kv_cache_dtype mxfp8 (1 byte more per 32)",
    basis: Basis::Derived,
    ..Layout::alike("mxfp8", "OCP MXFP8", Packing::head(Block::affine(32, 8, 1)))
};
