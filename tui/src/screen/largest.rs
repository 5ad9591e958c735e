//! `=`: the largest value of a number that still fits.

use kvplan_core::fit::{self, Found, Outcome, Unknown};
use kvplan_core::placement::{BoundBy, State};
use kvplan_core::plan::Request;
use kvplan_core::planner::{Field, Planner};
use kvplan_core::unit::grouped;

/// The largest value of `field` whose plan is not over, and what bounds it; or why there is none to say.
pub(crate) fn largest(planner: &Planner, field: Field) -> Result<(u64, String), String> {
    match field {
        Field::Context => asked(planner, Unknown::Context),
        Field::Sequences => asked(planner, Unknown::Sequences),
        Field::KeepFree | Field::InUse | Field::GpuLayers | Field::EncoderTokens | Field::Mtp => {
            search(planner, field)
        }
        Field::TypicalContext
        | Field::P95Context
        | Field::SharedPrefix
        | Field::Sessions
        | Field::ExpertLayersOnHost
        | Field::TensorParallel
        | Field::PipelineParallel
        | Field::DataParallel
        | Field::ExpertParallel
        | Field::DecodeContextParallel => Err(format!("{} has no largest that fits", field.label())),
    }
}

fn asked(planner: &Planner, unknown: Unknown) -> Result<(u64, String), String> {
    let model = planner.model().map_err(|error| error.message.clone())?;
    let answer = fit::largest(&planner.state().request, model, unknown).map_err(|error| error.message)?;
    match answer.outcome {
        Outcome::Found(found) => {
            found.count().map(|n| (n, bound(&found))).ok_or_else(|| "no number answers that".to_owned())
        }
        Outcome::Nothing(obstacle) => Err(obstacle
            .refused
            .unwrap_or_else(|| "none fits: smaller weights, more memory or a smaller cache type".to_owned())),
        Outcome::Unbounded => Err("nothing bounds it: no memory grows with it".to_owned()),
    }
}

/// What the next one runs into, and how far is safe.
fn bound(found: &Found) -> String {
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

/// By trying: more of these never takes less memory.
fn search(planner: &Planner, field: Field) -> Result<(u64, String), String> {
    if planner.state().request.hardware.is_empty() {
        return Err("the largest that fits what? d chooses a device first".to_owned());
    }
    let fits = |n: u64| {
        let mut request: Request = planner.state().request.clone();
        field.set(&mut request, Some(n)).is_ok()
            && planner
                .plan_of(&request)
                .is_ok_and(|plan| matches!(plan.fit.state, State::Fits | State::Barely))
    };
    if !fits(0) {
        return Err(format!("none fits: without {} it is over already", field.label()));
    }
    let (mut low, mut high) = (0, 1);
    while fits(high) {
        low = high;
        high = match high.checked_mul(2).filter(|n| *n < 1 << 42) {
            Some(n) => n,
            None => return Err(format!("nothing bounds {}", field.label())),
        };
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    Ok((low, "the most that fits".to_owned()))
}
