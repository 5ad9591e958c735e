//! Rows of multi-head latent attention and of DeepSeek-V4's entries: records of one width.

use super::{SGLANG, VLLM};
use crate::codec::layout::{Layout, Packing};
use crate::explain::Basis;

const fn record(name: &'static str, title: &'static str, dim: u64, bytes: u64) -> Layout {
    Layout::alike(name, title, Packing::Entry { dim, bytes })
}

pub(in crate::codec) const FP8_DS_MLA: Layout = Layout {
    stored: "512 E4M3, 4 f32 scales (one per 128), 64 bf16 RoPE",
    constraints: "rows of 576: a latent of 512 and 64 RoPE dimensions",
    engines: &[VLLM, SGLANG, "lmdeploy"],
    source: "vLLM 0.33 kv_cache_dtype fp8_ds_mla; LMDeploy `512*1+4*4+64*2`",
    ..record("fp8_ds_mla", "DeepSeek MLA row, FP8 latent and bf16 RoPE", 576, 512 + 4 * 4 + 64 * 2)
};

pub(in crate::codec) const NVFP4_DS_MLA: Layout = Layout {
    stored: "fits 512 E2M1 with an E4M3 scale per 16 and 64 one-byte RoPE dimensions (layout not read)",
    constraints: "rows of 576: a latent of 512 and 64 RoPE dimensions",
    engines: &[VLLM],
    source: "vLLM 0.33 kv_cache_dtype nvfp4_ds_mla: 352 bytes per token",
    basis: Basis::Derived,
    ..record("nvfp4_ds_mla", "DeepSeek MLA row, NVFP4 latent", 576, 512 / 2 + 512 / 16 + 64)
};

pub(in crate::codec) const FP8_DS_V4: Layout = Layout {
    aliases: &["fp8_ds_mla_v4"],
    stored: "448 E4M3, 64 bf16 RoPE, 7 UE8M0 scales (one per 64) and a pad byte",
    constraints: "rows of 512: 448 and 64 RoPE dimensions",
    engines: &[VLLM, SGLANG],
    source: "vLLM 0.33 models/deepseek_v4/attention.py: 448 + 128 + 8 bytes",
    ..record("fp8_ds_v4", "DeepSeek-V4 entry, FP8 and bf16 RoPE", 512, 448 + 64 * 2 + 8)
};

pub(in crate::codec) const NVFP4_DS_V4: Layout = Layout {
    stored: "not read; 384 bytes as stated",
    constraints: "rows of 512: 448 and 64 RoPE dimensions",
    engines: &[SGLANG],
    source: "SGLang threads on the opt-in NVFP4 ABI of DeepSeek-V4: 384 bytes per entry",
    basis: Basis::Derived,
    ..record("nvfp4_ds_v4", "DeepSeek-V4 entry, NVFP4", 512, 384)
};
