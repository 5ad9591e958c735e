//! What stands in the way of a value, to the byte.

use super::answer::{Obstacle, Quantity};
use crate::error::PlanError;
use crate::placement::{Case, Trial};

/// Why `case`, which asks for `tried`, is not held.
pub(super) fn of(case: &Case<'_>, tried: Quantity) -> Result<Obstacle, PlanError> {
    let trial = case.trial_at_length()?;
    let mut obstacle = Obstacle::new(tried, trial.bound());
    match trial {
        // A number that is held has nothing in its way: searches ask about the one after the last.
        Trial::Held(_) => {}
        Trial::Over(verdict) => {
            let bill = case.bill(&case.reserve()?)?;
            let of = |part: &[crate::unit::Bytes]| part.get(verdict.place).copied();
            obstacle.over_bytes = Some(verdict.spare.unsigned_abs());
            obstacle.device = Some(case.place_name(verdict.place));
            obstacle.usable_bytes = case.usable(&bill, verdict.place)?;
            obstacle.weights_bytes = of(&bill.weights);
            obstacle.kv_bytes = of(&bill.kv);
            obstacle.compute_bytes = of(&bill.compute);
        }
        Trial::Short { holds, .. } => obstacle.holds = Some(holds),
        Trial::Refused(error) => obstacle.refused = Some(error.message),
    }
    Ok(obstacle)
}
