//! The arithmetic behind the selected figure: a line a term, each with its rule and how sure it is.

use super::layers::part_of_layer;
use super::memory::part_of;
use crate::explain::{Basis, Term};
use crate::plan::{Plan, StoreShown};
use crate::planner::state::{Figure, Part};
use crate::spec::ModelSpec;
use crate::unit::Bytes;

/// One term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is: `kv k`.
    pub label: String,
    /// How it was computed, numbers put in.
    pub formula: String,
    /// What the engine makes of it, where that is a sentence of its own.
    pub rule: String,
    /// The figure.
    pub value: u64,
    /// Its unit.
    pub unit: &'static str,
    /// How sure.
    pub basis: Basis,
}

/// The selected figure and what made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Its name.
    pub title: String,
    /// Its bytes; nothing where no figure of the plan is selected (memory of other programs).
    pub total: Option<Bytes>,
    /// Its terms, the largest first.
    pub lines: Vec<Line>,
}

/// Why the selected figure is what it is, of a plan that was asked to `explain`.
#[must_use]
pub fn why(model: &ModelSpec, plan: &Plan, figure: Figure) -> Why {
    let terms = plan.explain.as_deref().unwrap_or_default();
    // The engine's own steps come first, then a term a line of the plan, then what is beside the model and what is served.
    let (stores, extras) = (&plan.kv.stores, &plan.extras);
    let of_stores = (0..terms.len()).find(|from| stands_for(terms, *from, stores)).unwrap_or(0);
    let beside = |term: &&Term| extras.iter().any(|extra| extra.name == term.label);
    let wanted = match figure {
        Figure::Cache => None,
        Figure::Part(part) => Some(part),
        Figure::Layer(layer) => {
            usize::try_from(layer).ok().and_then(|layer| part_of_layer(model, plan, layer))
        }
    };
    let mut lines: Vec<Line> = stores
        .iter()
        .zip(terms.iter().skip(of_stores))
        .filter(|(store, _)| wanted.is_none_or(|part| part_of(model, store) == part))
        .map(|(_, term)| line(term))
        .collect();
    crate::order::by_key(&mut lines, |line| std::cmp::Reverse(line.value));
    let cached = Some(Bytes::new(lines.iter().fold(0u64, |sum, line| sum.saturating_add(line.value))));
    let (title, total) = match wanted {
        None => ("cache".to_owned(), Some(plan.kv.allocated_bytes)),
        Some(part) => (part.label().to_owned(), cached.filter(|_| part.is_cache())),
    };
    match wanted {
        None => {
            let (steps, rest) = terms.split_at(of_stores);
            lines.extend(
                steps.iter().chain(rest.iter().skip(stores.len())).filter(|term| !beside(term)).map(line),
            );
        }
        // What is loaded beside the model stands in the same stretch.
        Some(Part::Weights) => lines.extend(terms.iter().filter(beside).map(line)),
        Some(_) => {}
    }
    Why { title, total, lines }
}

/// Whether the terms from here on are those of the stores.
fn stands_for(terms: &[Term], from: usize, stores: &[StoreShown]) -> bool {
    let of = |(term, store): (&Term, &StoreShown)| {
        term.value == store.allocated_bytes.get() && term.label.ends_with(store.role.name())
    };
    terms.len() - from >= stores.len() && terms.iter().skip(from).zip(stores).all(of)
}

/// A store's term has one part, its need; an engine's step is its own formula.
fn line(term: &Term) -> Line {
    let (formula, rule) = match term.terms.as_slice() {
        [needed] => (needed.formula.clone(), term.formula.clone()),
        _ => (term.formula.clone(), term.rule.to_owned()),
    };
    let (label, value, unit, basis) = (term.label.clone(), term.value, term.unit, term.basis);
    Line { label, formula, rule, value, unit, basis }
}
