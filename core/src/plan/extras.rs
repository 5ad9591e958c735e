//! Further tenants of the machine: in the request, and as lines of the answer.

use super::object::object;
use super::request::{CacheRequest, ModelRef, Request};
use super::weights::WeightsRequest;
use crate::error::PlanError;
use crate::explain::{Basis, Term};
use crate::placement::{Bill, Case, Draft, TenantLine, Tenants};
use crate::unit::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What lives beside the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Extras {
    /// A draft model for speculative decoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<ModelRef>,
    /// Its weights: a format, or their bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_weights: Option<WeightsRequest>,
    /// Codecs of its cache.
    #[serde(default, deserialize_with = "object", skip_serializing_if = "is_default")]
    pub draft_cache: CacheRequest,
    /// Bytes of an image projector (`mmproj`).
    #[serde(default, skip_serializing_if = "is_default")]
    pub projector_bytes: u64,
    /// Bytes of adapters (LoRA).
    #[serde(default, skip_serializing_if = "is_default")]
    pub lora_bytes: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A line of what lives beside the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExtraShown {
    /// What it is: `mtp weights`, `mtp cache`, `mtp compute`, `draft weights`, `draft cache`, `draft compute`, `projector`, `adapters`.
    pub name: &'static str,
    /// All of it, over all devices.
    pub bytes: Bytes,
    /// Why it is there.
    pub rule: &'static str,
    /// How sure.
    pub basis: Basis,
}

impl ExtraShown {
    pub(super) fn of(bill: &Bill) -> Result<Vec<Self>, PlanError> {
        let shown = |line: &TenantLine| {
            Ok(Self { name: line.name, bytes: line.total()?, rule: line.rule.id, basis: line.basis })
        };
        bill.tenants.iter().map(shown).collect()
    }

    /// A line as a figure: what is where, and the rule that put it there.
    pub(super) fn term(case: &Case<'_>, line: &TenantLine) -> Result<Term, PlanError> {
        let held = line.bytes.iter().enumerate().filter(|(_, bytes)| **bytes > Bytes::ZERO);
        let held: Vec<String> =
            held.map(|(place, bytes)| format!("{} {}", case.place_name(place), bytes.get())).collect();
        let formula = format!("{} ({})", held.join(" + "), line.rule.says);
        let term = Term::new(line.name, formula, line.total()?.get(), "bytes", line.rule);
        Ok(term.on(line.basis).made_of(line.terms.clone()))
    }
}

impl Request {
    /// What lives beside the model, understood.
    pub(super) fn tenants(&self) -> Result<Option<Tenants>, PlanError> {
        let Some(extras) = self.extras.as_ref().filter(|extras| !is_default(*extras)) else {
            return Ok(None);
        };
        let drafts_itself = self.mtp > 0 && self.is_llama_cpp();
        let draft = match &extras.draft {
            Some(model) => Some(self.draft(model, extras)?),
            None if extras.draft_weights.is_some() || !(is_default(&extras.draft_cache) || drafts_itself) => {
                return Err(PlanError::missing(
                    "extras.draft",
                    "whose weights and cache? name the draft model",
                ));
            }
            None => None,
        };
        Ok(Some(Tenants {
            draft,
            draft_cache: extras.draft_cache.parse().map_err(|error| error.within("extras.draft"))?,
            projector: Bytes::new(extras.projector_bytes),
            lora: Bytes::new(extras.lora_bytes),
        }))
    }

    fn draft(&self, model: &ModelRef, extras: &Extras) -> Result<Draft, PlanError> {
        let model = super::resolve_model(model).map_err(|error| {
            // A model's errors name the field `model`; this one stands elsewhere.
            let field = error.field.strip_prefix("model").unwrap_or(&error.field);
            PlanError { field: format!("extras.draft{field}"), ..error }
        })?;
        let own = Self { weights: extras.draft_weights.clone(), mtp: 0, ..self.clone() };
        let weights = own.weight_map(&model).map_err(|error| error.within("extras.draft"))?;
        Ok(Draft { model: Arc::new(model.into_owned()), weights })
    }
}
