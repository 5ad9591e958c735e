//! TurboQuant and PolarQuant as their papers describe them: codes plus f16 norms per vector.
//!
//! The papers count code bits only; the norms are added here, in f16 (the papers leave their type open).

use crate::codec::layout::{Block, Fit, Layout, Packing};
use crate::codec::reference::{Arithmetic, turboquant};
use crate::explain::Basis;

const NORM: u64 = 2;

const fn paper(name: &'static str, title: &'static str, codes: Block, norms: u64) -> Layout {
    Layout {
        engines: &["TurboQuant"],
        source: "arXiv 2504.19874; norms in f16 assumed",
        basis: Basis::Derived,
        ..Layout::alike(
            name,
            title,
            Packing::Head { block: codes, fit: Fit::Multiple(1), extra: norms * NORM },
        )
    }
}

const fn mse(name: &'static str, title: &'static str, bits: u64, arithmetic: Arithmetic) -> Layout {
    Layout {
        stored: "f16 norm per vector",
        arithmetic: Some(arithmetic),
        ..paper(name, title, Block::new(8, bits), 1)
    }
}

const fn prod(name: &'static str, title: &'static str, bits: u64) -> Layout {
    Layout {
        stored: "f16 norm of the vector and of the residual; one of the bits is a QJL sign",
        ..paper(name, title, Block::new(8, bits), 2)
    }
}

/// Two instances with two norms each (the inner-product variant in both tiers).
const fn tiers(name: &'static str, title: &'static str, halves: u64) -> Layout {
    Layout {
        stored: "4 f16 norms per vector: two tiers of channels, each the inner-product variant",
        constraints: "the nominal rate of the paper; 32 channels at 3 and 96 at 2 bits, as it prints, average 2.25, \
                      not 2.5, and no split is printed for 3.5",
        basis: Basis::Assumed,
        ..paper(name, title, Block::new(16, halves), 4)
    }
}

pub(in crate::codec) const MSE_2: Layout =
    mse("turboquant_mse_2", "TurboQuant (MSE), 2 bits", 2, turboquant::MSE_2);
pub(in crate::codec) const MSE_3: Layout =
    mse("turboquant_mse_3", "TurboQuant (MSE), 3 bits", 3, turboquant::MSE_3);
pub(in crate::codec) const MSE_4: Layout =
    mse("turboquant_mse_4", "TurboQuant (MSE), 4 bits", 4, turboquant::MSE_4);
pub(in crate::codec) const PROD_2: Layout =
    prod("turboquant_prod_2", "TurboQuant (inner product), 2 bits", 2);
pub(in crate::codec) const PROD_3: Layout =
    prod("turboquant_prod_3", "TurboQuant (inner product), 3 bits", 3);
pub(in crate::codec) const PROD_4: Layout =
    prod("turboquant_prod_4", "TurboQuant (inner product), 4 bits", 4);
pub(in crate::codec) const TIERS_2_5: Layout =
    tiers("turboquant_2_5", "TurboQuant, the paper's 2.5-bit setting", 5);
pub(in crate::codec) const TIERS_3_5: Layout =
    tiers("turboquant_3_5", "TurboQuant, the paper's 3.5-bit setting", 7);

pub(in crate::codec) const POLARQUANT: Layout = Layout {
    stored: "per 16: 8 angles of 4 bits, 4 of 2, 2 of 2, 1 of 2 and an f16 radius (62 bits; 62 bytes per 128)",
    constraints: "head_dim a multiple of 16; a last partial byte is rounded up",
    engines: &["PolarQuant"],
    source: "arXiv 2502.02617",
    basis: Basis::Derived,
    ..Layout::alike(
        "polarquant",
        "PolarQuant: recursive polar coordinates over 16",
        Packing::Head { block: Block::new(64, 31), fit: Fit::Multiple(16), extra: 0 },
    )
};
