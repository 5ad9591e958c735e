//! ggml's block types, as `type_traits` of llama.cpp 0c1e57098 (ggml 0.25.3) gives them. Blocks run through the row
//! of all heads; the engine asks in addition that they divide the head width when flash attention is on.

use super::GGML;
use crate::codec::layout::{Block, Field, Layout, Packing};
use crate::codec::reference::ggml;

const SOURCE: &str = "llama.cpp 0c1e57098, ggml/src/ggml-common.h and ggml.c type_traits";

const fn block(name: &'static str, title: &'static str, elements: u64, bytes: u64) -> Layout {
    Layout {
        stored: "scales inside the block",
        constraints: "the block divides the row; with flash attention also the head width",
        engines: &[GGML],
        source: SOURCE,
        ..Layout::alike(name, title, Packing::Row(Block::new(elements, bytes)))
    }
}

pub(in crate::codec) const Q8_0: Layout = Layout {
    stored: "f16 scale per 32",
    fields: &[Field::new("d", 0, 2), Field::new("qs", 2, 32)],
    arithmetic: Some(ggml::Q8_0),
    ..block("q8_0", "ggml 8-bit, symmetric", 32, 34)
};
pub(in crate::codec) const Q5_1: Layout = Layout {
    stored: "f16 scale and f16 minimum per 32",
    fields: &[Field::new("d", 0, 2), Field::new("m", 2, 2), Field::new("qh", 4, 4), Field::new("qs", 8, 16)],
    arithmetic: Some(ggml::Q5_1),
    ..block("q5_1", "ggml 5-bit with minimum", 32, 24)
};
pub(in crate::codec) const Q5_0: Layout = Layout {
    stored: "f16 scale per 32",
    fields: &[Field::new("d", 0, 2), Field::new("qh", 2, 4), Field::new("qs", 6, 16)],
    arithmetic: Some(ggml::Q5_0),
    ..block("q5_0", "ggml 5-bit, symmetric", 32, 22)
};
pub(in crate::codec) const Q4_1: Layout = Layout {
    stored: "f16 scale and f16 minimum per 32",
    fields: &[Field::new("d", 0, 2), Field::new("m", 2, 2), Field::new("qs", 4, 16)],
    arithmetic: Some(ggml::Q4_1),
    ..block("q4_1", "ggml 4-bit with minimum", 32, 20)
};
pub(in crate::codec) const Q4_0: Layout = Layout {
    stored: "f16 scale per 32",
    fields: &[Field::new("d", 0, 2), Field::new("qs", 2, 16)],
    arithmetic: Some(ggml::Q4_0),
    ..block("q4_0", "ggml 4-bit, symmetric", 32, 18)
};
pub(in crate::codec) const IQ4_NL: Layout = Layout {
    stored: "f16 scale per 32; a fixed 16-value table",
    fields: &[Field::new("d", 0, 2), Field::new("qs", 2, 16)],
    arithmetic: Some(ggml::IQ4_NL),
    ..block("iq4_nl", "ggml 4-bit, non-linear", 32, 18)
};
pub(in crate::codec) const MXFP4: Layout = Layout {
    stored: "E8M0 scale per 32",
    fields: &[Field::new("e", 0, 1), Field::new("qs", 1, 16)],
    arithmetic: Some(ggml::MXFP4),
    ..block("mxfp4", "OCP MXFP4, halves of the block in the two nibbles", 32, 17)
};
pub(in crate::codec) const NVFP4: Layout = Layout {
    aliases: &["ggml_nvfp4"],
    stored: "4 UE4M3 scales per 64, one per 16; no tensor scale",
    fields: &[Field::new("d", 0, 4), Field::new("qs", 4, 32)],
    arithmetic: Some(ggml::NVFP4),
    ..block("nvfp4_ggml", "ggml's NVFP4", 64, 36)
};
pub(in crate::codec) const Q8_1: Layout = block("q8_1", "ggml 8-bit with sum", 32, 36);
pub(in crate::codec) const Q2_0: Layout = block("q2_0", "ggml 2-bit", 64, 18);
pub(in crate::codec) const Q1_0: Layout = block("q1_0", "ggml 1-bit", 128, 18);
pub(in crate::codec) const Q2_K: Layout = block("q2_k", "ggml K-quant, 2 bits", 256, 84);
pub(in crate::codec) const Q3_K: Layout = block("q3_k", "ggml K-quant, 3 bits", 256, 110);
pub(in crate::codec) const Q4_K: Layout = block("q4_k", "ggml K-quant, 4 bits", 256, 144);
pub(in crate::codec) const Q5_K: Layout = block("q5_k", "ggml K-quant, 5 bits", 256, 176);
pub(in crate::codec) const Q6_K: Layout = block("q6_k", "ggml K-quant, 6 bits", 256, 210);
pub(in crate::codec) const Q8_K: Layout = block("q8_k", "ggml K-quant, 8 bits", 256, 292);
pub(in crate::codec) const IQ1_S: Layout = block("iq1_s", "ggml I-quant, 1.56 bits", 256, 50);
pub(in crate::codec) const IQ1_M: Layout = block("iq1_m", "ggml I-quant, 1.75 bits", 256, 56);
pub(in crate::codec) const IQ2_XXS: Layout = block("iq2_xxs", "ggml I-quant, 2.06 bits", 256, 66);
pub(in crate::codec) const IQ2_XS: Layout = block("iq2_xs", "ggml I-quant, 2.31 bits", 256, 74);
pub(in crate::codec) const IQ2_S: Layout = block("iq2_s", "ggml I-quant, 2.56 bits", 256, 82);
pub(in crate::codec) const IQ3_XXS: Layout = block("iq3_xxs", "ggml I-quant, 3.06 bits", 256, 98);
pub(in crate::codec) const IQ3_S: Layout = block("iq3_s", "ggml I-quant, 3.44 bits", 256, 110);
pub(in crate::codec) const IQ4_XS: Layout = block("iq4_xs", "ggml I-quant, 4.25 bits", 256, 136);
pub(in crate::codec) const TQ1_0: Layout = block("tq1_0", "ggml ternary, 1.69 bits", 256, 54);
pub(in crate::codec) const TQ2_0: Layout = block("tq2_0", "ggml ternary, 2.06 bits", 256, 66);
