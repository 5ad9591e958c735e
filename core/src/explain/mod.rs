//! Why a figure is what it is: rules, bases, and trees of terms. Front ends only format them.

use serde::Serialize;

/// How a figure is known.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, schemars::JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Basis {
    /// Equal to what the engine reserves.
    Exact,
    /// From a formula whose error is stated.
    Derived,
    /// Measured on this machine.
    Measured,
    /// Taken as given; change it if you know better.
    Assumed,
}

/// A rule: why an engine reserves what it reserves, and where that is written.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Short name, `engine/rule`.
    pub id: &'static str,
    /// The rule in one sentence.
    pub says: &'static str,
    /// Where it is written: a source file, a paper, a document.
    pub source: &'static str,
}

/// One figure of an explanation: what it is, how it was computed with the numbers put in, and from what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Term {
    /// What the figure is.
    pub label: String,
    /// How it was computed, numbers put in.
    pub formula: String,
    /// The figure.
    pub value: u64,
    /// Its unit: `bytes`, `tokens`, `cells`, `blocks`, `layers`.
    pub unit: &'static str,
    /// The rule's id.
    pub rule: &'static str,
    /// Where the rule is written.
    pub source: &'static str,
    /// How sure.
    pub basis: Basis,
    /// The figures it was made from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<Term>,
}

impl Term {
    /// A figure without parts.
    #[must_use]
    pub fn new(
        label: impl Into<String>,
        formula: impl Into<String>,
        value: u64,
        unit: &'static str,
        rule: &'static Rule,
    ) -> Self {
        Self {
            label: label.into(),
            formula: formula.into(),
            value,
            unit,
            rule: rule.id,
            source: rule.source,
            basis: Basis::Exact,
            terms: Vec::new(),
        }
    }

    /// The same figure with the parts it was made from.
    #[must_use]
    pub fn made_of(mut self, terms: Vec<Self>) -> Self {
        self.terms = terms;
        self
    }

    /// The same figure on another basis.
    #[must_use]
    pub const fn on(mut self, basis: Basis) -> Self {
        self.basis = basis;
        self
    }
}
