//! Block-GTQ: RoPE blocks of a key get 1 to 8 bits each, by energy; values are uniform.
//!
//! A key's bytes depend on the calibration data, through the number of dimensions coded at each width:
//! [`packed_key_bytes`] and [`production_key_bytes`] take that [`BitHistogram`]. The preset `block_gtq_k3v3` is the
//! published size of the production cache at a head width of 128.

use crate::codec::layout::{Layout, Packing, SideLayout};
use crate::explain::Basis;

/// Dimensions of one head coded at 1, 2, … 8 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BitHistogram(pub [u64; 8]);

/// Bytes of an f16 norm; every width in use has one.
const NORM: u64 = 2;

impl BitHistogram {
    /// Widths in use.
    #[must_use]
    pub fn groups(self) -> u64 {
        self.0.iter().map(|n| u64::from(*n > 0)).sum()
    }

    /// Dimensions over all widths.
    #[must_use]
    pub fn dims(self) -> u64 {
        self.0.iter().sum()
    }
}

/// Bytes of one key in the bit-packed cache: each width packed on its own, one f16 norm per width.
///
/// ```
/// # use kvplan_core::codec::block_gtq::{packed_key_bytes, BitHistogram};
/// // 64 dimensions at 2 bits, 64 at 4: 16 + 32 bytes of codes and two norms
/// assert_eq!(packed_key_bytes(BitHistogram([0, 64, 0, 64, 0, 0, 0, 0])), 52);
/// ```
#[must_use]
pub fn packed_key_bytes(bits: BitHistogram) -> u64 {
    let [b1, b2, b3, b4, wide @ ..] = bits.0;
    b1.div_ceil(8)
        + b2.div_ceil(4)
        + 3 * b3.div_ceil(8)
        + b4.div_ceil(2)
        + wide.iter().sum::<u64>()
        + NORM * bits.groups()
}

/// Bytes of one key in the production cache, the same for every layer and head: widths up to 4 bits as nibbles, wider
/// ones as bytes, and norms, each at its maximum over all layers and heads.
#[must_use]
pub fn production_key_bytes(heads: &[BitHistogram]) -> u64 {
    let codes = |bits: &BitHistogram| {
        let (narrow, wide) = bits.0.split_at(4);
        narrow.iter().sum::<u64>() / 2 + wide.iter().sum::<u64>()
    };
    let most = |of: &dyn Fn(&BitHistogram) -> u64| heads.iter().map(of).max().unwrap_or(0);
    most(&codes) + NORM * most(&|bits| bits.groups())
}

pub(in crate::codec) const K3V3: Layout = Layout {
    stored: "K: nibbles and bytes by width, f16 norm per width in use; V: nibbles and an f16 norm",
    constraints: "head_dim 128; a preset: K depends on the calibration data, 157 or 158 bytes of K and V published",
    engines: &["Block-GTQ"],
    source: "arXiv 2606.24033, JIA-Lab-research/blockgtq production_cache: about 157 B per token and KV head",
    basis: Basis::Assumed,
    ..Layout::sides(
        "block_gtq_k3v3",
        "Block-GTQ K3V3, production cache",
        SideLayout::new(Packing::Entry { dim: 128, bytes: 91 }),
        SideLayout::new(Packing::Entry { dim: 128, bytes: 128 / 2 + NORM }),
    )
};
