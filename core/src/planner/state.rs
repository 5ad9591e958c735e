//! What a link carries: the request, plan A, and what is looked at.

use super::field::Field;
use crate::plan::{ModelRef, Request};

/// Everything that is set and shown.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What is asked.
    pub request: Request,
    /// The number that is kept at the largest that fits while others change.
    pub largest: Option<Field>,
    /// Plan A, which the request is compared with.
    pub pinned: Option<Box<Request>>,
    /// What is looked at.
    pub view: View,
}

impl State {
    /// A state that asks `request` and shows the plan.
    #[must_use]
    pub fn of(request: Request) -> Self {
        Self { request, largest: None, pinned: None, view: View::default() }
    }

    /// A state that asks for a catalogued model.
    #[must_use]
    pub fn of_model(id: &str) -> Self {
        Self::of(Request::of(ModelRef::Id(id.to_owned())))
    }
}

/// What is looked at; no figure depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct View {
    /// The screen.
    pub tab: Tab,
    /// What the table of alternatives varies.
    pub lens: Lens,
    /// The figure that is lit everywhere at once.
    pub figure: Figure,
    /// GiB or GB.
    pub units: Units,
    /// Bytes to the last digit.
    pub exact_bytes: bool,
}

/// The screens, in order.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Tab {
    /// One plan.
    #[default]
    Plan,
    /// Plan A beside this one, engines side by side.
    Compare,
    /// Kernels on the local GPU, measured beside predicted.
    Proof,
    /// Prefix-cache hit rates of recorded requests.
    Traces,
}

/// What the table of alternatives varies.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Lens {
    /// Weight formats × cache types: the largest context.
    #[default]
    Weights,
    /// Engines × cache types: reserved bytes.
    Engines,
    /// Devices × cache types: the largest context.
    Devices,
    /// Codecs: stored bits against measured error.
    Methods,
}

/// How byte figures are written.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
pub enum Units {
    /// 2^30 bytes, as drivers and engines count.
    #[default]
    GiB,
    /// 10^9 bytes, as shops count.
    GB,
}

/// A part of a device's memory, by what it is and how it grows.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "kebab-case")]
pub enum Part {
    /// Model weights: never grow.
    Weights,
    /// Full and latent caches: grow with every token.
    Full,
    /// Window and chunk caches: stop growing.
    Window,
    /// Compressed rows: grow slowly.
    Compressed,
    /// Keys of sparse-attention indexers: grow with every token.
    Indexer,
    /// Recurrent and convolution states: never grow.
    State,
    /// Cross-attention: grows with the input only.
    Cross,
    /// Work buffers: grow a little.
    Compute,
    /// Memory of other programs.
    InUse,
    /// The margin a person keeps.
    KeptFree,
}

/// What is selected; its bar segment, its layers, its table cell and its explanation light up together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Figure {
    /// The whole cache.
    #[default]
    Cache,
    /// A part of memory.
    Part(Part),
    /// One layer of the model, counted from 0.
    Layer(u64),
}

impl std::fmt::Display for Figure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cache => f.write_str("cache"),
            Self::Part(part) => write!(f, "{part}"),
            Self::Layer(layer) => write!(f, "layer-{layer}"),
        }
    }
}

impl std::str::FromStr for Figure {
    type Err = strum::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "cache" {
            return Ok(Self::Cache);
        }
        match text.strip_prefix("layer-").and_then(|n| n.parse().ok()) {
            Some(layer) => Ok(Self::Layer(layer)),
            None => text.parse().map(Self::Part),
        }
    }
}
