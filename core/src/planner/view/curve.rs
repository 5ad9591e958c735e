//! Bytes against context on the device that fills first.

use crate::error::PlanError;
use crate::placement::{Case, Machine};
use crate::plan::Request;
use crate::spec::ModelSpec;

/// One point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Tokens per sequence.
    pub tokens: u64,
    /// Bytes planned: weights, cache, work buffers, what others hold.
    pub bytes: u64,
}

/// Bytes against context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// In order of tokens; lengths that the engine refuses are left out.
    pub samples: Vec<Sample>,
    /// The device.
    pub device: Option<String>,
    /// What it has for all that.
    pub capacity: Option<u64>,
    /// The end of the axis.
    pub longest: u64,
    /// The model's own limit, where it is known.
    pub limit: Option<u64>,
}

/// The curve of a request up to the model's own limit, or twice the context where that is more or none is known.
///
/// # Errors
/// As [`crate::plan::plan_model`], for what is wrong at any length.
pub fn curve(model: &ModelSpec, request: &Request, context: u64, points: u32) -> Result<Curve, PlanError> {
    let machine = Machine::of(&request.hardware, request.reserve)?;
    let weights = request.weight_map(model)?;
    let case = request.case(model, &machine, weights.as_ref())?;
    let limit = model.scaled_context().map(crate::unit::Tokens::get).filter(|tokens| *tokens > 0);
    let longest = limit.map_or(context.saturating_mul(2), |limit| limit.max(context)).max(1024);
    let place = tightest(&case, context)?;
    let held = request.reserve.in_use_bytes;
    let points = u64::from(points.max(2));
    let mut samples = Vec::with_capacity(usize::try_from(points).unwrap_or(0) + 1);
    let mut capacity = None;
    for point in 0..points {
        let step = u128::from(longest) * u128::from(point) / u128::from(points - 1);
        let tokens = u64::try_from(step).unwrap_or(u64::MAX).max(1);
        let at = case.with_context(tokens);
        let Ok(bill) = at.reserve().and_then(|reservation| at.bill(&reservation)) else { continue };
        let (bytes, room) = match place {
            Some(place) => (bill.at(place)?.get().saturating_add(held), at.usable(&bill, place)?),
            None => {
                let all = (0..=bill.devices())
                    .try_fold(0u64, |sum, place| bill.at(place).map(|b| sum.saturating_add(b.get())));
                (all?, None)
            }
        };
        capacity =
            room.and_then(|room| u64::try_from(room).ok()).map(|room| room.saturating_add(held)).or(capacity);
        samples.push(Sample { tokens, bytes });
    }
    Ok(Curve { samples, device: place.map(|place| case.place_name(place)), capacity, longest, limit })
}

/// The device that fills first at this context.
fn tightest(case: &Case<'_>, context: u64) -> Result<Option<usize>, PlanError> {
    let at = case.with_context(context);
    let Ok(bill) = at.reserve().and_then(|reservation| at.bill(&reservation)) else { return Ok(None) };
    Ok(at.verdict(&bill)?.map(|verdict| verdict.place))
}
