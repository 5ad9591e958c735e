//! LMDeploy and QServe: asymmetric codes per token and head.

use crate::codec::layout::{Block, Fit, Layout, Packing, SideLayout};

const fn vector(bits: u64, multiple: u64, extra: u64) -> Packing {
    Packing::Head { block: Block::new(8, bits), fit: Fit::Multiple(multiple), extra }
}

const fn affine(name: &'static str, title: &'static str, packing: Packing) -> Layout {
    Layout {
        stored: "scale and zero per token and head, in the 16-bit model type",
        engines: &["lmdeploy"],
        source: "LMDeploy pytorch/kernels/cuda/fill_kv_cache.py, quant_policy 8 and 4",
        ..Layout::alike(name, title, packing)
    }
}

pub(in crate::codec) const INT8: Layout =
    affine("lmdeploy_int8", "LMDeploy int8 (quant_policy 8)", vector(8, 1, 4));
pub(in crate::codec) const INT4: Layout = Layout {
    constraints: "head_dim even",
    ..affine("lmdeploy_int4", "LMDeploy int4 (quant_policy 4)", vector(4, 2, 4))
};
pub(in crate::codec) const QSERVE_KV4: Layout = Layout {
    stored: "f16 scale and f16 zero per token and head",
    constraints: "head_dim even",
    engines: &["qserve"],
    source: "mit-han-lab/qserve cache_engine.py: elements/2 + tokens·heads·4",
    ..affine("qserve_kv4", "QServe KV4", vector(4, 2, 4))
};
pub(in crate::codec) const TURBOQUANT: Layout = Layout {
    stored: "K: 3-bit codes, 1 QJL bit and 2 values; V: 2-bit codes and 1 value, in the 16-bit model type",
    constraints: "head_dim a multiple of 4",
    engines: &["lmdeploy"],
    source: "LMDeploy quant_policy 42",
    ..Layout::sides(
        "lmdeploy_turboquant",
        "LMDeploy TurboQuant (quant_policy 42)",
        SideLayout::new(vector(4, 4, 4)),
        SideLayout::new(vector(2, 4, 2)),
    )
};
