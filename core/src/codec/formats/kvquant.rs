//! KVQuant: non-uniform codes and 1 % of the elements kept apart.

use crate::codec::layout::{Block, Layout, Packing, SideLayout};
use crate::explain::Basis;

/// 200 elements: their codes, and 2 outliers of an f16 value and a 16-bit index each.
const fn nuq(name: &'static str, title: &'static str, bits: u64) -> Layout {
    let block = Block::affine(200, bits, 2 * (2 + 2));
    Layout {
        stored: "1 % outliers as f16 value and 16-bit index; V: f16 scale and zero per token; codebooks outside",
        constraints: "an average: the number of outliers follows the data; codebooks and first tokens not counted",
        engines: &["KVQuant"],
        source: "SqueezeAILab/KVQuant nuq with 1 % outliers: b + 0.01·(16 + 16) bits, index width assumed",
        basis: Basis::Assumed,
        ..Layout::sides(
            name,
            title,
            SideLayout::new(Packing::Rate { block, extra: 0 }),
            SideLayout::new(Packing::Rate { block, extra: 4 }),
        )
    }
}

pub(in crate::codec) const NUQ2: Layout = nuq("kvquant2", "KVQuant nuq2, 1 % outliers", 2);
pub(in crate::codec) const NUQ3: Layout = nuq("kvquant3", "KVQuant nuq3, 1 % outliers", 3);
pub(in crate::codec) const NUQ4: Layout = nuq("kvquant4", "KVQuant nuq4, 1 % outliers", 4);
