//! Attention backends: which one a layer gets, and the block sizes its kernels take.
//!
//! vLLM picks a backend per layer from the GPU, the head sizes and the cache type, and the backend dictates the block
//! size. Only what decides bytes is kept here: the order of preference, what a backend refuses, its block sizes.
//! Sources: `platforms/cuda.py`, `v1/attention/backends/*` of vLLM 0.33.0.

use super::dtype::KvCacheDtype;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The GPU, by compute capability.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Platform {
    /// Ampere (A100).
    Sm80,
    /// Ampere (RTX 30).
    Sm86,
    /// Ada (RTX 40, L40S).
    Sm89,
    /// Hopper (H100, H200).
    #[default]
    Sm90,
    /// Blackwell (B200).
    Sm100,
    /// Blackwell (B300).
    Sm103,
    /// Blackwell (RTX 50).
    Sm120,
    /// Blackwell (GB10).
    Sm121,
}

/// What of the GPU decides a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Before Hopper.
    Ampere,
    /// 9.0.
    Hopper,
    /// 10.x.
    Blackwell,
    /// 12.x.
    BlackwellConsumer,
}

impl Platform {
    pub(super) const fn family(self) -> Family {
        match self {
            Self::Sm80 | Self::Sm86 | Self::Sm89 => Family::Ampere,
            Self::Sm90 => Family::Hopper,
            Self::Sm100 | Self::Sm103 => Family::Blackwell,
            Self::Sm120 | Self::Sm121 => Family::BlackwellConsumer,
        }
    }

    /// vLLM's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What of a layer decides its backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Elements of a key (of a whole row, for latent attention).
    pub head_size: u64,
    /// Values are as wide as keys.
    pub square: bool,
    /// Latent attention.
    pub mla: bool,
    /// With an indexer.
    pub sparse: bool,
    /// `qk_nope_head_dim`, for latent attention, where known.
    pub nope_dim: Option<u64>,
    /// Attention sinks.
    pub sink: bool,
    /// A sliding window.
    pub window: bool,
    /// The cache type of this layer.
    pub dtype: KvCacheDtype,
    /// A decode-context-parallel run.
    pub dcp: bool,
    /// `--block-size`, where given.
    pub block_size: Option<u64>,
}

/// A backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    FlashAttn,
    /// The FP8 kernel for heads of 512 on Hopper: pages of 64.
    FlashAttnFp8Wide,
    /// Keys and values of different widths.
    FlashAttnDiffKv,
    TritonDiffKv,
    FlashInfer,
    Triton,
    Turboquant,
    FlashAttnMla,
    FlashMla,
    FlashInferMla,
    CutlassMla,
    TritonMla,
    FlashAttnMlaSparse,
    FlashMlaSparse,
    FlashInferMlaSparse,
    FlashInferMlaSparseSm90,
    FlashInferMlaSparseSm120,
    /// DeepSeek-V3.2's index keys.
    Indexer,
    /// MiniMax-M3's sparse attention: one sparse block a page.
    BlockSparse,
    /// DeepSeek-V4's attention, entries counted in uncompressed tokens.
    DeepseekV4,
}

/// A block size a kernel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    /// This size.
    Exactly(u64),
    /// Any multiple of this.
    MultipleOf(u64),
}

impl Kernel {
    pub(super) const fn base(self) -> u64 {
        match self {
            Self::Exactly(n) | Self::MultipleOf(n) => n,
        }
    }
}

impl Backend {
    /// The block sizes its kernels take.
    pub(super) const fn kernels(self) -> &'static [Kernel] {
        use Kernel::{Exactly, MultipleOf};
        match self {
            Self::FlashAttn
            | Self::FlashAttnDiffKv
            | Self::TritonDiffKv
            | Self::Triton
            | Self::FlashAttnMla
            | Self::TritonMla => &[MultipleOf(16)],
            Self::FlashAttnFp8Wide | Self::FlashMla | Self::Indexer => &[Exactly(64)],
            Self::FlashInfer => &[Exactly(16), Exactly(32), Exactly(64)],
            Self::Turboquant => &[Exactly(16), Exactly(32), Exactly(64), Exactly(128)],
            Self::FlashInferMla => &[Exactly(32), Exactly(64)],
            Self::CutlassMla | Self::BlockSparse => &[Exactly(128)],
            Self::FlashAttnMlaSparse
            | Self::FlashMlaSparse
            | Self::FlashInferMlaSparseSm90
            | Self::FlashInferMlaSparseSm120 => &[MultipleOf(64)],
            Self::FlashInferMlaSparse => &[MultipleOf(32)],
            Self::DeepseekV4 => &[Exactly(256)],
        }
    }

    /// The smallest block its kernels take.
    pub(super) fn smallest(self) -> u64 {
        self.kernels().iter().map(|k| k.base()).min().unwrap_or(1)
    }

    /// Whether a block of `size` tokens can be cut into its kernels' blocks.
    pub(super) fn takes(self, size: u64) -> bool {
        self.kernels().iter().any(|k| size.is_multiple_of(k.base()))
    }

    /// Whether the cache type and shape suit it; GPUs are [`select`]'s business.
    fn suits(self, family: Family, w: &Wanted) -> bool {
        use KvCacheDtype as D;
        let fp8 = matches!(w.dtype, D::Fp8 | D::Fp8E4m3);
        let plain = w.dtype.is_plain();
        let newer = !matches!(family, Family::Ampere);
        match self {
            Self::FlashAttn => {
                let wide = matches!(family, Family::Hopper | Family::Blackwell);
                let dtype = plain || (fp8 && wide);
                let head = w.head_size.is_multiple_of(8) && w.head_size <= if wide { 512 } else { 256 };
                dtype && head && w.square && (!w.sink || newer)
            }
            Self::FlashInfer => {
                let nvfp4 = match (family, w.dtype) {
                    (Family::Blackwell, D::Nvfp4 | D::Nvfp44over6) => true,
                    (_, D::Nvfp4) => w.head_size != 64 && !w.sink,
                    _ => false,
                };
                let dtype = plain || fp8 || w.dtype == D::Fp8E5m2 || nvfp4;
                dtype && w.square && matches!(w.head_size, 64 | 128 | 256 | 512) && (!w.sink || newer)
            }
            Self::Triton => {
                let dtype = plain || fp8 || w.dtype == D::Fp8E5m2 || w.dtype.is_per_token_head();
                dtype && w.head_size >= 32 && w.square
            }
            Self::Turboquant => w.dtype.is_turboquant() && !w.window && !w.sink && w.square,
            Self::FlashAttnDiffKv => !w.square && (plain || fp8) && newer,
            Self::TritonDiffKv => !w.square && (plain || fp8),
            Self::FlashAttnMla => plain && !w.sparse && family == Family::Hopper,
            Self::FlashMla => {
                (plain || fp8) && !w.sparse && matches!(family, Family::Hopper | Family::Blackwell)
            }
            Self::FlashInferMla => {
                // Where the head's width is not known, DeepSeek's own 128 is supposed.
                let nope = matches!(w.nope_dim, None | Some(64 | 128 | 192));
                (plain || fp8) && !w.sparse && nope
            }
            Self::CutlassMla | Self::TritonMla => (plain || fp8) && !w.sparse,
            Self::FlashAttnMlaSparse => plain && w.sparse && !w.dcp,
            Self::FlashMlaSparse => {
                let dtype = matches!(w.dtype, D::Auto | D::Bfloat16 | D::Fp8DsMla | D::Fp8)
                    || (w.dtype == D::Nvfp4DsMla && family == Family::Blackwell);
                dtype && w.sparse && w.head_size == 576
            }
            Self::FlashInferMlaSparse => (plain || fp8) && w.sparse && matches!(w.head_size, 512 | 576),
            Self::FlashInferMlaSparseSm90 => {
                (matches!(w.dtype, D::Auto | D::Bfloat16) || fp8)
                    && w.sparse
                    && matches!(w.head_size, 512 | 576)
            }
            Self::FlashInferMlaSparseSm120 => {
                (w.dtype == D::Auto || fp8 || w.dtype == D::Fp8DsMla) && w.sparse && w.head_size == 576
            }
            Self::FlashAttnFp8Wide | Self::Indexer | Self::BlockSparse | Self::DeepseekV4 => false,
        }
    }
}

/// The backend of one layer; `None` where vLLM finds no valid one.
pub(super) fn select(platform: Platform, w: &Wanted) -> Option<Backend> {
    use Backend as B;
    let family = platform.family();
    let order: &[Backend] = match (w.mla, w.sparse, family) {
        (false, _, _) if !w.square => &[B::FlashAttnDiffKv, B::TritonDiffKv],
        (false, _, Family::Blackwell) => &[B::FlashInfer, B::FlashAttn, B::Triton, B::Turboquant],
        (false, _, _) => &[B::FlashAttn, B::FlashInfer, B::Triton, B::Turboquant],
        (true, false, Family::Blackwell) => &[B::FlashInferMla, B::CutlassMla, B::FlashMla, B::TritonMla],
        (true, false, Family::Hopper) => &[B::FlashAttnMla, B::FlashMla, B::TritonMla],
        (true, false, Family::Ampere | Family::BlackwellConsumer) => &[B::TritonMla],
        (true, true, Family::Blackwell) if w.dtype.is_plain() => &[B::FlashMlaSparse, B::FlashInferMlaSparse],
        (true, true, Family::Blackwell) => &[B::FlashInferMlaSparse, B::FlashMlaSparse],
        (true, true, Family::Hopper) => {
            &[B::FlashAttnMlaSparse, B::FlashMlaSparse, B::FlashInferMlaSparseSm90]
        }
        (true, true, Family::BlackwellConsumer) => &[B::FlashInferMlaSparseSm120],
        (true, true, Family::Ampere) => &[],
    };
    let fits = |b: &&Backend| b.suits(family, w) && w.block_size.is_none_or(|size| b.takes(size));
    order.iter().find(fits).copied()
}
