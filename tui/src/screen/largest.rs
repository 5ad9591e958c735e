//! `=`: what the largest value of a number that still fits runs into.

use kvplan_core::placement::BoundBy;
use kvplan_core::planner::{Field, Most};
use kvplan_core::unit::grouped;

/// What one more would run into, and how far is safe.
pub(crate) fn bound(field: Field, most: &Most) -> String {
    if field == Field::ExpertLayersOnHost {
        return "the fewest that fit".to_owned();
    }
    if !matches!(field, Field::Context | Field::Sequences) {
        return "the most that fits".to_owned();
    }
    let what = match most.bound_by {
        Some(BoundBy::Memory) => "where memory runs out",
        Some(BoundBy::Model) => "the model's own limit",
        Some(BoundBy::Engine) => "the most the engine takes",
        None => "nothing bounds it",
    };
    match most.safe {
        Some(safe) => format!("{what}; {} is safe whatever the errors are", grouped(safe)),
        None => what.to_owned(),
    }
}
