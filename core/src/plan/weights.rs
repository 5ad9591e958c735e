//! The weights of a request: a format, or their bytes.

use super::request::Request;
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::explain::Basis;
use crate::placement::WeightMap;
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Overflow};
use crate::weights::{self, Applied, WeightFormat};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the weights are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WeightsRequest {
    /// A format by name: `Q4_K_M`, `bf16`, `awq`.
    Format(String),
    /// Their bytes, from a file's size or a log.
    Bytes(u64),
}

impl WeightsRequest {
    /// The format, where one is named.
    ///
    /// # Errors
    /// `invalid` for a name that no format has.
    pub fn format(&self) -> Result<Option<WeightFormat>, PlanError> {
        let Self::Format(name) = self else { return Ok(None) };
        WeightFormat::parse(name).map(Some).ok_or_else(|| {
            let known = WeightFormat::names().join(", ");
            PlanError::invalid("weights.format", format!("no weight format `{name}`; known: {known}"))
                .with_value(name.as_str())
        })
    }
}

/// The weights' figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WeightsShown {
    /// What the engine loads, each tensor once; prediction layers that are loaded are a line of `extras`.
    pub bytes: Bytes,
    /// What the checkpoint holds, where that is more: prediction layers, and whatever else no engine asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_bytes: Option<Bytes>,
    /// What one token's pass reads of it; absent where only the whole is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_bytes: Option<Bytes>,
    /// How sure.
    pub basis: Basis,
}

impl WeightsShown {
    pub(super) fn of(map: &WeightMap) -> Result<Self, Overflow> {
        let bytes = map.total()?;
        let checkpoint_bytes = map.checkpoint.filter(|checkpoint| *checkpoint > bytes);
        Ok(Self { bytes, checkpoint_bytes, active_bytes: map.active, basis: map.basis })
    }
}

impl Request {
    /// The weights asked for, or else those of the file that the model was read from, by layer as far as they are known.
    ///
    /// # Errors
    /// `invalid` for an unknown format, `unsupported` where the model's tensors are not understood, `overflow`.
    pub fn weight_map(&self, model: &ModelSpec) -> Result<Option<WeightMap>, PlanError> {
        let blocks = model.layer_count() + model.mtp_count();
        let Some(asked) = &self.weights else {
            return model.own_weights().map(|own| WeightMap::parts(own, blocks)).transpose();
        };
        match (asked, asked.format()?) {
            (_, Some(format)) => {
                let format = if self.is_llama_cpp() { in_gguf(format)? } else { format };
                WeightMap::parts(&weights::of(model, format)?, blocks).map(Some)
            }
            (WeightsRequest::Bytes(bytes), None) => {
                let applied = model.record().shape.as_ref().map(Applied::of).transpose()?;
                Ok(Some(WeightMap { applied, ..WeightMap::whole(Bytes::new(*bytes), blocks)? }))
            }
            (WeightsRequest::Format(_), None) => Ok(None),
        }
    }

    pub(super) fn is_llama_cpp(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.name == EngineName::LlamaCpp)
    }
}

/// The format as llama.cpp would load it.
fn in_gguf(format: WeightFormat) -> Result<WeightFormat, PlanError> {
    match format.in_gguf() {
        found @ WeightFormat::Gguf(_) => Ok(found),
        other @ (WeightFormat::Plain(_) | WeightFormat::Packed(_)) => {
            let message = format!("llama.cpp loads GGUF types; `{}` is none", other.name());
            Err(PlanError::refused("weights.format", message).with_value(other.name()))
        }
    }
}
