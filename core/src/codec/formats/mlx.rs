//! MLX: affine groups of 64 along the head, codes as a little-endian bit stream.

use super::MLX;
use crate::codec::layout::{Block, Layout, Packing};
use crate::codec::reference::{Arithmetic, mlx};

const fn affine(name: &'static str, title: &'static str, bits: u64, arithmetic: Arithmetic) -> Layout {
    Layout {
        arithmetic: Some(arithmetic),
        stored: "scale and bias per 64, in the 16-bit model type",
        constraints: "head_dim a multiple of 64; mlx-lm itself fails for 3 bits at head_dim 512 and for 5 and 6 bits \
                      above 64",
        engines: &[MLX],
        source: "mlx 0.32.4 quantized.cpp, mlx-lm 0.32.2 models/cache.py QuantizedKVCache, group_size 64",
        ..Layout::alike(name, title, Packing::head(Block::affine(64, bits, 4)))
    }
}

pub(in crate::codec) const B2: Layout = affine("mlx_2", "MLX affine, 2 bits", 2, mlx::B2);
pub(in crate::codec) const B3: Layout = affine("mlx_3", "MLX affine, 3 bits", 3, mlx::B3);
pub(in crate::codec) const B4: Layout = affine("mlx_4", "MLX affine, 4 bits", 4, mlx::B4);
pub(in crate::codec) const B5: Layout = affine("mlx_5", "MLX affine, 5 bits", 5, mlx::B5);
pub(in crate::codec) const B6: Layout = affine("mlx_6", "MLX affine, 6 bits", 6, mlx::B6);
pub(in crate::codec) const B8: Layout = affine("mlx_8", "MLX affine, 8 bits", 8, mlx::B8);
