//! What cannot be answered, in the contract's words: a kind, the field, its value, and what is allowed.

use crate::unit::Overflow;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kinds of refusal a script can match on.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum ErrorKind {
    /// No model of that id or alias is catalogued.
    UnknownModel,
    /// Understood, but not modelled (yet).
    Unsupported,
    /// A field or option is unknown, malformed, out of range, or contradicts another.
    Invalid,
    /// A field the answer depends on is absent.
    MissingField,
    /// A figure exceeds 64 bits.
    Overflow,
    /// The real engine refuses this or aborts on it.
    EngineRefuses,
}

/// A request that cannot be answered, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct PlanError {
    /// What kind of refusal.
    pub kind: ErrorKind,
    /// The request's or file's field, dotted (`cache.v`, `model.hf.layer_types`).
    pub field: String,
    /// The value found there; null where there was none.
    pub value: Value,
    /// What is wrong and what is allowed, in one sentence.
    pub message: String,
}

impl PlanError {
    /// A refusal about `field`, without a value yet.
    #[must_use]
    pub fn new(kind: ErrorKind, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, field: field.into(), value: Value::Null, message: message.into() }
    }

    /// `field` is unknown, malformed or out of range.
    #[must_use]
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, field, message)
    }

    /// `field` is needed and absent.
    #[must_use]
    pub fn missing(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::MissingField, field, message)
    }

    /// Understood, but not modelled.
    #[must_use]
    pub fn unsupported(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, field, message)
    }

    /// The engine itself says no.
    #[must_use]
    pub fn refused(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::EngineRefuses, field, message)
    }

    /// The same refusal, with the offending value attached.
    #[must_use]
    pub fn with_value(mut self, value: impl Into<Value>) -> Self {
        self.value = value.into();
        self
    }

    /// The same refusal, its field seen from one level further out (`layers` inside `model.spec`).
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        self.field = if self.field.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.field) };
        self
    }
}

impl From<Overflow> for PlanError {
    fn from(_: Overflow) -> Self {
        Self::new(ErrorKind::Overflow, "", "the figures of this request exceed 64 bits")
    }
}
