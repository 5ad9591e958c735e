//! The largest value of a number that fits, for every number that has one.

use super::action::Most;
use super::field::Field;
use crate::error::PlanError;
use crate::fit::{self, Outcome, Unknown};
use crate::plan::Request;
use crate::spec::ModelSpec;

/// More than any machine holds, and any model has, of anything.
const BEYOND: u64 = 1 << 46;

/// The largest value of `field` whose plan is not over, all else being as it is; of layers whose experts are in RAM the
/// fewest, which is the most on the GPU.
///
/// # Errors
/// `unsupported` for a number that has none; why none fits; whatever the request cannot answer.
pub(super) fn of(model: &ModelSpec, request: &Request, field: Field) -> Result<Most, PlanError> {
    match field {
        Field::Context => solved(model, request, field, Unknown::Context),
        Field::Sequences => solved(model, request, field, Unknown::Sequences),
        Field::GpuLayers => solved(model, request, field, Unknown::GpuLayers),
        Field::ExpertLayersOnHost => solved(model, request, field, Unknown::HostExperts),
        Field::KeepFree
        | Field::InUse
        | Field::EncoderTokens
        | Field::Mtp
        | Field::Projector
        | Field::Adapters => {
            tried(model, request, field).map(|value| Most { value, bound_by: None, safe: None })
        }
        Field::TypicalContext
        | Field::P95Context
        | Field::SharedPrefix
        | Field::Sessions
        | Field::TensorParallel
        | Field::PipelineParallel
        | Field::DataParallel
        | Field::ExpertParallel
        | Field::DecodeContextParallel => {
            let message = format!("{} has no largest that fits", field.label());
            Err(PlanError::unsupported(field.to_string(), message))
        }
    }
}

fn none(field: Field, message: impl Into<String>) -> PlanError {
    PlanError::invalid(field.to_string(), message)
}

fn solved(model: &ModelSpec, request: &Request, field: Field, unknown: Unknown) -> Result<Most, PlanError> {
    match fit::largest(request, model, unknown)?.outcome {
        Outcome::Found(found) => match found.count() {
            Some(value) => Ok(Most { value, bound_by: found.bound_by, safe: found.safe }),
            None => Err(none(field, "no number answers that")),
        },
        Outcome::Nothing(obstacle) => Err(none(
            field,
            obstacle.refused.unwrap_or_else(|| {
                "none fits: smaller weights, more memory or a smaller cache type".to_owned()
            }),
        )),
        Outcome::Unbounded => Err(none(field, "nothing bounds it: no memory grows with it")),
    }
}

/// By halving: more of these never takes less memory.
fn tried(model: &ModelSpec, request: &Request, field: Field) -> Result<u64, PlanError> {
    let mut asked = request.clone();
    let mut holds = |n: u64| -> Result<bool, PlanError> {
        field.set(&mut asked, Some(n))?;
        fit::holds(&asked, model)
    };
    if !holds(0)? {
        return Err(none(field, format!("none fits: without {} it is over already", field.label())));
    }
    // What the model or the engine refuses is more than the largest, too.
    let mut taken = |n: u64| holds(n).unwrap_or(false);
    let (mut low, mut high) = (0, 1);
    while taken(high) {
        if high >= BEYOND {
            return Err(none(field, "nothing bounds it: no memory grows with it"));
        }
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if taken(middle) { low = middle } else { high = middle }
    }
    Ok(low)
}
