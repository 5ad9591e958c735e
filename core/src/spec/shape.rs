//! The weight tensors of a model, as far as its importer understands them: names and dimensions, no bytes.
//!
//! Names are those of llama.cpp's converter (`attn_q`, `ffn_down_exps`, without a trailing `.weight`), because the
//! mixtures of quantized files are rules over them; dimensions are in GGUF's order, the contiguous one first. A family
//! whose tensors are not understood has no [`Shape`], and says why.

use crate::error::PlanError;
use crate::unit::Overflow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Tensors by name, each with its dimensions, the contiguous one first.
pub type Tensors = BTreeMap<String, Vec<u64>>;

/// The weight tensors of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The output head is the token embedding: stored once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tied: bool,
    /// Routed experts read for one token, in layers that have experts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts_used: Option<u64>,
    /// What was taken from a class's defaults, or is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// For every trunk layer in order, which of `kinds` it is made of.
    pub layers: Vec<u16>,
    /// The same for every multi-token-prediction layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mtp: Vec<u16>,
    /// Tensors outside the layers: embeddings, output norm, output head.
    pub model: Tensors,
    /// The distinct layers.
    pub kinds: Vec<Tensors>,
}

impl Shape {
    /// The tensors of a trunk layer.
    #[must_use]
    pub fn layer(&self, index: usize) -> Option<&Tensors> {
        self.kinds.get(usize::from(*self.layers.get(index)?))
    }

    /// Adds a layer, sharing equal ones; its index among the kinds.
    pub(super) fn kind(&mut self, tensors: Tensors) -> Option<u16> {
        let found = self.kinds.iter().position(|known| *known == tensors);
        let index = found.unwrap_or_else(|| {
            self.kinds.push(tensors);
            self.kinds.len().saturating_sub(1)
        });
        u16::try_from(index).ok()
    }

    /// Refuses a record that contradicts itself or the model's layers.
    pub(super) fn check(&self, trunk: usize, mtp: usize) -> Result<(), PlanError> {
        let invalid = |field: &str, message: String| PlanError::invalid(format!("shape.{field}"), message);
        for (field, listed, layers) in [("layers", &self.layers, trunk), ("mtp", &self.mtp, mtp)] {
            if listed.len() != layers {
                let message = format!("{} entries for {layers} layers", listed.len());
                return Err(invalid(field, message));
            }
            if let Some(kind) = listed.iter().find(|kind| usize::from(**kind) >= self.kinds.len()) {
                return Err(invalid(field, format!("there is no kind {kind}")).with_value(*kind));
            }
        }
        let mut experts = false;
        for (name, dims) in self.kinds.iter().chain([&self.model]).flatten() {
            if dims.is_empty() || dims.len() > 3 || dims.contains(&0) {
                return Err(invalid(name, "a tensor has one to three positive dimensions".to_owned()));
            }
            if dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).is_none_or(|n| n > MAX_ELEMENTS) {
                return Err(invalid(name, "more elements than any model has".to_owned()));
            }
            if let (true, Some(count)) = (is_routed(name), dims.last()) {
                experts = true;
                if self.experts_used.is_none_or(|used| used == 0 || used > *count) {
                    let message = format!("of {count} experts, a token uses at least one and at most all");
                    return Err(invalid("experts_used", message));
                }
            }
        }
        match self.experts_used {
            Some(used) if !experts => {
                let message = "no layer has experts (`…_exps`)".to_owned();
                Err(invalid("experts_used", message).with_value(used))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// A thousand times the largest published tensor; keeps every sum of a model inside 64 bits.
const MAX_ELEMENTS: u64 = 1 << 46;

/// Rotary factors that only a GGUF holds: no parameters of the model.
pub const ROPE_TABLE: &str = "rope_freqs";

/// Whether a tensor is a stack of routed experts: its last dimension counts them.
#[must_use]
pub fn is_routed(name: &str) -> bool {
    name.contains("_exps")
}

/// Parameters of a shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Of the trunk, embeddings and head; a tied head counts once.
    pub total: u64,
    /// Those of them that one token multiplies or looks up: of routed experts the used ones, embeddings whole.
    pub active: u64,
    /// Of the multi-token-prediction layers.
    pub mtp: u64,
}

impl Shape {
    /// Counts parameters.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn parameters(&self) -> Result<Counts, Overflow> {
        let mut counts = Counts::default();
        let used = self.experts_used.unwrap_or(1);
        let mut add = |tensors: &Tensors, trunk: bool| -> Result<(), Overflow> {
            for (name, dims) in tensors.iter().filter(|(name, _)| *name != ROPE_TABLE) {
                let n = dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).ok_or(Overflow)?;
                let active = match dims.last() {
                    Some(experts) if is_routed(name) => (n / experts).checked_mul(used).ok_or(Overflow)?,
                    Some(_) | None => n,
                };
                let slots: &mut [(&mut u64, u64)] = if trunk {
                    &mut [(&mut counts.total, n), (&mut counts.active, active)]
                } else {
                    &mut [(&mut counts.mtp, n)]
                };
                for (slot, more) in slots {
                    **slot = slot.checked_add(*more).ok_or(Overflow)?;
                }
            }
            Ok(())
        };
        add(&self.model, true)?;
        for (listed, trunk) in [(&self.layers, true), (&self.mtp, false)] {
            for kind in listed {
                add(self.kinds.get(usize::from(*kind)).unwrap_or(&Tensors::new()), trunk)?;
            }
        }
        Ok(counts)
    }
}
