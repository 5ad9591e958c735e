//! Formats that group tokens over time: KIVI and QJL.

use crate::codec::layout::{Block, Layout, Packing, Residual, SideLayout};
use crate::codec::reference::{KeyArithmetic, kivi};

/// Tokens kept in f16 before they are packed.
const RESIDUAL: u64 = 128;
/// Tokens (K) or channels (V) per group.
const GROUP: u64 = 32;

/// Values: groups of 32 channels of one token, f16 scale and minimum; the newest tokens in f16.
const fn values(bits: u64) -> SideLayout {
    SideLayout::with(Packing::head(Block::affine(GROUP, bits, 4)), Residual::Newest(RESIDUAL))
}

const fn kivi(name: &'static str, title: &'static str, bits: u64) -> Layout {
    Layout {
        stored: "f16 scale and f16 minimum per group of 32",
        constraints: "head_dim a multiple of 32; n mod 128 keys and min(n, 128) values stay in f16",
        engines: &["KIVI"],
        source: "jy-yuan/KIVI quant/new_pack.py and models/llama_kivi.py, group 32, residual 128",
        ..Layout::sides(
            name,
            title,
            SideLayout::with(Packing::Channel(Block::affine(GROUP, bits, 4)), Residual::Remainder(RESIDUAL)),
            values(bits),
        )
    }
}

pub(in crate::codec) const KIVI2: Layout = Layout {
    arithmetic: Some(kivi::KIVI2),
    key_arithmetic: KeyArithmetic::Tokens(kivi::KIVI2_KEYS),
    ..kivi("kivi2", "KIVI: K per channel, V per token, 2 bits", 2)
};
pub(in crate::codec) const KIVI4: Layout = Layout {
    arithmetic: Some(kivi::KIVI4),
    key_arithmetic: KeyArithmetic::Tokens(kivi::KIVI4_KEYS),
    ..kivi("kivi4", "KIVI: K per channel, V per token, 4 bits", 4)
};

/// Channels per group whose index is stored as an outlier.
const OUTLIERS: u64 = 8;

/// Keys: per token `inlier + outlier` sign bits and two f16 norms, per group of 32 tokens the outlier indices.
const fn qjl(name: &'static str, title: &'static str, inlier: u64, outlier: u64) -> Layout {
    let token = inlier / 8 + outlier / 8 + 2 + 2;
    let group = Packing::TokenGroup { tokens: GROUP, bytes: GROUP * token + OUTLIERS };
    Layout {
        stored: "K: f16 norms of the key and of its outliers, 8 u8 outlier indices per 32 tokens; V: f16 scale and \
                 minimum per 32",
        constraints: "the sketch size does not grow with head_dim; n mod 128 keys and min(n, 128) values stay in f16",
        engines: &["QJL"],
        source: "amirzandieh/QJL models/llama3_utils_qjl.py, run_longbench.py defaults",
        ..Layout::sides(name, title, SideLayout::with(group, Residual::Remainder(RESIDUAL)), values(2))
    }
}

pub(in crate::codec) const QJL: Layout =
    qjl("qjl", "QJL: 256 + 256 sign bits per key, 2-bit values", 256, 256);
pub(in crate::codec) const QJL_512: Layout =
    qjl("qjl_512", "QJL as its first 15 layers store it: 512 + 128 sign bits per key", 512, 128);
