//! The forms of an answer to an inverse question.

use super::quality::Quality;
use crate::placement::{BoundBy, State};
use crate::plan::Request;
use crate::unit::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is to be found.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::EnumString,
    strum::EnumIter,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Unknown {
    /// The longest context, tokens of each sequence.
    Context,
    /// The most sequences resident at once.
    Sequences,
    /// The best cache types, by measured quality.
    Cache,
    /// The most layers on the devices (llama.cpp's `n_gpu_layers`).
    GpuLayers,
    /// The fewest layers whose routed experts stay in host memory (llama.cpp's `n_cpu_moe`).
    HostExperts,
    /// The fewest devices of the kind that the request names.
    Devices,
    /// How the devices share the model best.
    Split,
}

/// The answer to an inverse question.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Largest {
    /// What was asked for.
    pub unknown: Unknown,
    /// What was found.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The largest that is held.
    Found(Box<Found>),
    /// Not even the least that can be asked for is held.
    Nothing(Box<Obstacle>),
    /// Nothing bounds it: no memory grows with it, and neither the model nor the engine states a limit.
    Unbounded,
}

/// The largest that is held.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Found {
    /// It.
    pub value: Quantity,
    /// What the next one runs into; absent where there is none to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_by: Option<BoundBy>,
    /// Whether it fits for certain or barely; absent where no memory was described.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Usable minus planned bytes on the tightest device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spare_bytes: Option<i64>,
    /// Summed stated errors of what is not exact there, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt_bytes: Option<Bytes>,
    /// The tightest device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The largest that fits whatever the errors are, where `value` fits barely.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe: Option<u64>,
    /// The next larger one, and what it runs into; absent where there is none to ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beyond: Option<Obstacle>,
    /// The request with the answer in it.
    pub request: Request,
}

impl Found {
    /// Whether what is estimated may turn it over.
    #[must_use]
    pub fn is_barely(&self) -> bool {
        self.state == Some(State::Barely)
    }

    /// The answer, where it is a number.
    #[must_use]
    pub const fn count(&self) -> Option<u64> {
        match &self.value {
            Quantity::Count(n) => Some(*n),
            Quantity::Split(split) => Some(split.devices),
            Quantity::Cache(_) => None,
        }
    }
}

impl Largest {
    /// What was found, if anything was.
    #[must_use]
    pub fn found(&self) -> Option<&Found> {
        match &self.outcome {
            Outcome::Found(found) => Some(found),
            Outcome::Nothing(_) | Outcome::Unbounded => None,
        }
    }
}

/// A value of what was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Quantity {
    /// Tokens, sequences or layers.
    Count(u64),
    /// Types of keys and values.
    Cache(CacheChosen),
    /// Devices, and how they share the model.
    Split(Split),
}

/// Types of keys and values, and what they cost.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CacheChosen {
    /// Of keys, and of rows that are both; absent for a model that keeps neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub k: Option<&'static str>,
    /// Of values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v: Option<&'static str>,
    /// Measured quality; absent where it was not measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
}

/// Devices, and how they share the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Split {
    /// Devices.
    pub devices: u64,
    /// How they share it; all 1 where layers are dealt to them.
    #[serde(flatten)]
    pub ranks: Ranked,
    /// Layers of each device, the output counted with the last, where that is better than by free memory (llama.cpp's
    /// `tensor_split`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<u16>,
}

/// Ranks along the axes that are searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ranked {
    /// Tensor parallel.
    pub tp: u64,
    /// Pipeline stages.
    pub pp: u64,
    /// Replicas, as asked.
    pub dp: u64,
}

/// What stands in the way of a value.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Obstacle {
    /// The value that was tried.
    pub tried: Quantity,
    /// What it runs into.
    pub bound_by: BoundBy,
    /// By how much it is over on `device`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_bytes: Option<u64>,
    /// The device that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// What that device has for the plan; negative where others hold more than all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable_bytes: Option<i64>,
    /// Weights there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights_bytes: Option<Bytes>,
    /// Caches and states there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_bytes: Option<Bytes>,
    /// Buffers for computing there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute_bytes: Option<Bytes>,
    /// Sequences that would be resident, where fewer are than were tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<u64>,
    /// Why the engine does not start with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Obstacle {
    /// A value that runs into something that is not weighed.
    pub(super) const fn new(tried: Quantity, bound_by: BoundBy) -> Self {
        Self {
            tried,
            bound_by,
            over_bytes: None,
            device: None,
            usable_bytes: None,
            weights_bytes: None,
            kv_bytes: None,
            compute_bytes: None,
            holds: None,
            refused: None,
        }
    }

    /// A length beyond the model's own.
    pub(super) const fn of_model(tried: u64) -> Self {
        Self::new(Quantity::Count(tried), BoundBy::Model)
    }
}
