//! FP4 (E2M1) with block scales, as GPU engines store it: a plane of codes, then a plane of scales, per head.

use super::{SGLANG, TRT, VLLM};
use crate::codec::layout::{Block, Layout, Packing};
use crate::codec::reference::fp4;

const fn block16(name: &'static str, title: &'static str) -> Layout {
    Layout {
        constraints: "head_dim a multiple of 16",
        ..Layout::alike(name, title, Packing::head(Block::affine(16, 4, 1)))
    }
}

pub(in crate::codec) const NVFP4: Layout = Layout {
    stored: "E4M3 scale per 16 and one f32 scale per tensor outside the cache",
    constraints: "head_dim a multiple of 16; vLLM wants K and V of one width",
    engines: &[VLLM, SGLANG, TRT],
    source: "vLLM 0.33 nvfp4_kv_cache_full_dim: head_dim/2 + head_dim/16; TensorRT-LLM \
             calculate_scaling_factor_size_bytes(…, 16, FP8)",
    arithmetic: Some(fp4::NVFP4),
    ..block16("nvfp4", "NVFP4: E2M1 with an E4M3 scale per 16")
};

pub(in crate::codec) const NVFP4_4OVER6: Layout = Layout {
    stored: "E4M3 scale per 16 (amax/6 or amax/4, whichever errs less)",
    engines: &[VLLM],
    source: "vLLM 0.33 kv_cache_dtype nvfp4_4over6",
    arithmetic: Some(fp4::NVFP4_4OVER6),
    ..block16("nvfp4_4over6", "NVFP4 with adaptive block scales")
};

pub(in crate::codec) const E2M1_BLOCK16: Layout = Layout {
    aliases: &["fp4_mx_block16"],
    stored: "E8M0 scale per 16",
    engines: &[SGLANG],
    source: "SGLang 0.5.23 kvfp4_tensor.py",
    arithmetic: Some(fp4::E2M1_BLOCK16),
    ..block16("fp4_e2m1", "SGLang FP4: E2M1 with an E8M0 scale per 16")
};
