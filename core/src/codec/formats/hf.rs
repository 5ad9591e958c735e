//! Hugging Face `QuantizedCache`, group 64, residual length 128.
//!
//! The prompt is packed whole; generated tokens gather in full precision and are packed, with everything before them,
//! when the 128th arrives: `generated mod 128` tokens are in full precision.

use super::HF;
use crate::codec::layout::{Block, Layout, Packing, Residual, SideLayout};
use crate::explain::Basis;

const RESIDUAL: Residual = Residual::SinceFlush(128);

const fn cache(name: &'static str, title: &'static str, block: Block) -> Layout {
    let side = SideLayout::with(Packing::Row(block), RESIDUAL);
    Layout {
        stored: "scale and shift per 64, in the 16-bit model type",
        constraints: "the elements packed are a multiple of 64; generated mod 128 tokens stay in full precision",
        engines: &[HF],
        ..Layout::sides(name, title, side, side)
    }
}

const QUANTO: &str = "transformers 5.23 cache_utils.py with optimum-quanto, axis 0, q_group_size 64";
const HQQ: &str = "transformers 5.23 cache_utils.py with hqq, q_group_size 64";

const fn quanto(name: &'static str, title: &'static str, bits: u64) -> Layout {
    Layout { source: QUANTO, ..cache(name, title, Block::affine(64, bits, 4)) }
}

const fn hqq(name: &'static str, title: &'static str, bits: u64) -> Layout {
    Layout { source: HQQ, ..cache(name, title, Block::affine(64, bits, 4)) }
}

pub(in crate::codec) const QUANTO_INT4: Layout =
    Layout { aliases: &["quanto_4"], ..quanto("quanto_int4", "quanto int4, groups of 64", 4) };
pub(in crate::codec) const QUANTO_INT2: Layout =
    Layout { aliases: &["quanto_2"], ..quanto("quanto_int2", "quanto int2, groups of 64", 2) };
pub(in crate::codec) const HQQ_8: Layout = hqq("hqq_8", "HQQ, 8 bits", 8);
pub(in crate::codec) const HQQ_4: Layout = hqq("hqq_4", "HQQ, 4 bits", 4);
/// 10 codes per 32-bit word: with axis 1, word i holds element i of ten groups. The number of groups is padded to a
/// multiple of 10 once per tensor, which the rate leaves out; with axis 0 each group of 64 is padded to 70 instead.
pub(in crate::codec) const HQQ_3: Layout = {
    let packing = Packing::Rate { block: Block::new(640, 64 * 4 + 10 * 4), extra: 0 };
    let side = SideLayout::with(packing, RESIDUAL);
    Layout {
        stored: "10 codes per 32-bit word; scale and zero per 64, in the 16-bit model type",
        constraints: "an average for axis 1: groups are padded to a multiple of 10 once per tensor; generated mod 128 \
                      tokens stay in full precision; the backend fails when lengths change",
        engines: &[HF],
        source: HQQ,
        basis: Basis::Derived,
        ..Layout::sides("hqq_3", "HQQ, 3 bits, axis 1", side, side)
    }
};
pub(in crate::codec) const HQQ_2: Layout = hqq("hqq_2", "HQQ, 2 bits", 2);
pub(in crate::codec) const HQQ_1: Layout = hqq("hqq_1", "HQQ, 1 bit", 1);
