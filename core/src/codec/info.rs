//! A layout as one row of `kvplan codecs`.

use super::{Block, Codec, Layout, SideLayout};
use crate::explain::Basis;
use serde::Serialize;

/// One row of `kvplan codecs --json`.
///
/// Figures of formats that store something once per vector are given at a head width of 128. Where K and V differ,
/// `block_elements` and `block_bytes` are both sides together, and `k` and `v` give each.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct CodecInfo {
    /// The codec's own name.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// Engines' own spellings.
    pub aliases: &'static [&'static str],
    /// Elements per block.
    pub block_elements: u64,
    /// Stored bytes per block.
    pub block_bytes: u64,
    /// Stored bits per element: `block_bytes` · 8 / `block_elements`.
    pub bits_per_element: f64,
    /// The same as an exact fraction (`17/2`).
    pub bits_per_element_exact: String,
    /// What a block's elements have in common (`k: tokens, v: head` where the sides differ).
    pub axis: String,
    /// The widest window kept in full precision, in tokens.
    pub residual_tokens: u64,
    /// Shapes it takes.
    pub constraints: &'static str,
    /// Engines and projects that store it.
    pub engines: &'static [&'static str],
    /// Where the layout is written.
    pub source: &'static str,
    /// How sure the layout is.
    pub basis: Basis,
    /// What is stored besides codes.
    pub stored: &'static str,
    /// Whether `kvplan encode` and `decode` know it.
    pub arithmetic: bool,
    /// Keys, where they differ from values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<SideInfo>,
    /// Values, where they differ from keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v: Option<SideInfo>,
}

/// One side of a format whose K and V differ.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub struct SideInfo {
    /// Elements per block.
    pub block_elements: u64,
    /// Stored bytes per block.
    pub block_bytes: u64,
    /// Stored bits per element.
    pub bits_per_element: f64,
    /// What a block's elements have in common.
    pub axis: &'static str,
    /// The window kept in full precision, in tokens.
    pub residual_tokens: u64,
}

impl SideInfo {
    fn new(side: SideLayout, block: Block) -> Self {
        Self {
            block_elements: block.elements,
            block_bytes: block.bytes,
            bits_per_element: block.bits_per_element().to_f64(),
            axis: side.packing.axis().as_str(),
            residual_tokens: side.residual.window(),
        }
    }
}

impl Layout {
    /// The layout as a row of `kvplan codecs`.
    #[must_use]
    pub fn info(&self) -> CodecInfo {
        let block = self.block();
        let differ = self.key != self.value;
        let (k, v) = (self.key.packing.axis(), self.value.packing.axis());
        CodecInfo {
            name: self.name,
            title: self.title,
            aliases: self.aliases,
            block_elements: block.elements,
            block_bytes: block.bytes,
            bits_per_element: block.bits_per_element().to_f64(),
            bits_per_element_exact: block.bits_per_element().to_string(),
            axis: if k == v { k.as_str().into() } else { format!("k: {}, v: {}", k.as_str(), v.as_str()) },
            residual_tokens: self.key.residual.window().max(self.value.residual.window()),
            constraints: self.constraints,
            engines: self.engines,
            source: self.source,
            basis: self.basis,
            stored: self.stored,
            arithmetic: self.arithmetic.is_some(),
            k: differ.then(|| SideInfo::new(self.key, self.key.packing.block())),
            v: differ.then(|| SideInfo::new(self.value, self.value_block())),
        }
    }
}

impl Codec {
    /// Every codec as a row of `kvplan codecs`, in listing order.
    #[must_use]
    pub fn list() -> Vec<CodecInfo> {
        Self::ALL.iter().map(|codec| codec.layout().info()).collect()
    }
}
