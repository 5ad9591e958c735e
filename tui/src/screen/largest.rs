//! `=`: what the largest value of a number that still fits runs into.

use kvplan_core::fit::{self, Found, Outcome, Unknown};
use kvplan_core::placement::BoundBy;
use kvplan_core::planner::{Field, Planner};
use kvplan_core::unit::grouped;

/// What one more would run into, and how far is safe.
pub(crate) fn bound(planner: &Planner, field: Field) -> String {
    let unknown = match field {
        Field::Context => Unknown::Context,
        Field::Sequences => Unknown::Sequences,
        Field::ExpertLayersOnHost => return "the fewest that fit".to_owned(),
        Field::KeepFree
        | Field::InUse
        | Field::GpuLayers
        | Field::EncoderTokens
        | Field::Mtp
        | Field::TypicalContext
        | Field::P95Context
        | Field::SharedPrefix
        | Field::Sessions
        | Field::TensorParallel
        | Field::PipelineParallel
        | Field::DataParallel
        | Field::ExpertParallel
        | Field::DecodeContextParallel
        | Field::Projector
        | Field::Adapters => return "the most that fits".to_owned(),
    };
    let request = &planner.state().request;
    let answer = planner.model().ok().and_then(|model| fit::largest(request, model, unknown).ok());
    match answer.map(|answer| answer.outcome) {
        Some(Outcome::Found(found)) => of(&found),
        Some(Outcome::Nothing(_) | Outcome::Unbounded) | None => "the most that fits".to_owned(),
    }
}

fn of(found: &Found) -> String {
    let what = match found.bound_by {
        Some(BoundBy::Memory) => "where memory runs out",
        Some(BoundBy::Model) => "the model's own limit",
        Some(BoundBy::Engine) => "the most the engine takes",
        None => "nothing bounds it",
    };
    match found.safe {
        Some(safe) => format!("{what}; {} is safe whatever the errors are", grouped(safe)),
        None => what.to_owned(),
    }
}
