//! The TurboQuant types of the llama.cpp fork: rotated by a signed Hadamard transform of 128, one norm per block.
//!
//! Their header comments still give the sizes of an older 32-element block; the compiled `sizeof` is what stands here.

use crate::codec::layout::{Block, Field, Fit, Layout, Packing};
use crate::codec::reference::turbo;
use crate::explain::Basis;

const fn turbo(name: &'static str, title: &'static str, bytes: u64) -> Layout {
    Layout {
        constraints: "head_dim is padded with zeros to a multiple of 128",
        engines: &["llama-cpp-turboquant"],
        source: "TheTom/llama-cpp-turboquant ggml-turbo-quant.c and ggml-common.h, QK_TURBO = 128",
        ..Layout::alike(name, title, Packing::Head { block: Block::new(128, bytes), fit: Fit::Pad, extra: 0 })
    }
}

/// Another fork's type, named alike and laid out otherwise: blocks of 32.
pub(in crate::codec) const TQ3_0: Layout = Layout {
    engines: &["luce-llama.cpp"],
    stored: "not published; 3.5 bits per element in all",
    source: "Luce-Org/llama.cpp pull request: 3.5 bits per value, 896 MiB printed for Qwen3.5-27B at 65,536 tokens",
    basis: Basis::Derived,
    ..Layout::alike("tq3_0", "TurboQuant, Luce fork, 3.5 bits", Packing::Row(Block::new(32, 14)))
};

pub(in crate::codec) const TURBO4_0: Layout = Layout {
    aliases: &["turbo4"],
    stored: "f16 corrected norm and an unused f16 per 128",
    fields: &[Field::new("norm", 0, 2), Field::new("rnorm", 2, 2), Field::new("qs", 4, 64)],
    arithmetic: Some(turbo::TURBO4),
    ..turbo("turbo4_0", "TurboQuant fork, 4 bits", 68)
};
pub(in crate::codec) const TURBO3_0: Layout = Layout {
    aliases: &["turbo3"],
    stored: "f16 corrected norm per 128",
    fields: &[Field::new("norm", 0, 2), Field::new("qs", 2, 32), Field::new("signs", 34, 16)],
    arithmetic: Some(turbo::TURBO3),
    ..turbo("turbo3_0", "TurboQuant fork, 3 bits", 50)
};
pub(in crate::codec) const TURBO2_0: Layout = Layout {
    aliases: &["turbo2"],
    stored: "f16 corrected norm per 128",
    fields: &[Field::new("norm", 0, 2), Field::new("qs", 2, 32)],
    arithmetic: Some(turbo::TURBO2),
    ..turbo("turbo2_0", "TurboQuant fork, 2 bits", 34)
};
