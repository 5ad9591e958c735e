//! ExLlamaV2 and V3: Hadamard-rotated blocks of 32 with an f16 scale. A V3 cache may pair any two widths.

use super::EXL3;
use crate::codec::layout::{Block, Layout, Packing, SideLayout};

/// 32 elements of `bits` bits and an f16 scale.
const fn row(bits: u64) -> Packing {
    Packing::Row(Block::affine(32, bits, 2))
}

const fn exl2(name: &'static str, title: &'static str, key: u64, value: u64) -> Layout {
    Layout {
        stored: "f16 scale per 32",
        constraints: "the cache length is padded until heads·head_dim·length is a multiple of 512; one f16 layer of \
                      scratch per device on top",
        engines: &["exllamav2"],
        source: "turboderp/exllamav2 cache.py and q_matrix cache kernels",
        ..Layout::sides(name, title, SideLayout::new(row(key)), SideLayout::new(row(value)))
    }
}

pub(in crate::codec) const EXL2_Q8: Layout = exl2("exl2_q8", "ExLlamaV2 Q8", 8, 8);
pub(in crate::codec) const EXL2_Q6: Layout = exl2("exl2_q6", "ExLlamaV2 Q6: 8-bit keys, 4-bit values", 8, 4);
pub(in crate::codec) const EXL2_Q4: Layout = exl2("exl2_q4", "ExLlamaV2 Q4", 4, 4);

const fn exl3(name: &'static str, title: &'static str, bits: u64) -> Layout {
    Layout {
        stored: "f16 scale per 32",
        constraints: "heads·head_dim a multiple of 32; pages of 256 tokens",
        engines: &[EXL3],
        source: "exllamav3 1.4.1 cache/quant.py: (heads·head_dim/32)·(4·bits + 2) bytes",
        ..Layout::alike(name, title, row(bits))
    }
}

pub(in crate::codec) const EXL3_2: Layout = exl3("exl3_2", "ExLlamaV3, 2 bits", 2);
pub(in crate::codec) const EXL3_3: Layout = exl3("exl3_3", "ExLlamaV3, 3 bits", 3);
pub(in crate::codec) const EXL3_4: Layout = exl3("exl3_4", "ExLlamaV3, 4 bits", 4);
pub(in crate::codec) const EXL3_5: Layout = exl3("exl3_5", "ExLlamaV3, 5 bits", 5);
pub(in crate::codec) const EXL3_6: Layout = exl3("exl3_6", "ExLlamaV3, 6 bits", 6);
pub(in crate::codec) const EXL3_7: Layout = exl3("exl3_7", "ExLlamaV3, 7 bits", 7);
pub(in crate::codec) const EXL3_8: Layout = exl3("exl3_8", "ExLlamaV3, 8 bits", 8);
