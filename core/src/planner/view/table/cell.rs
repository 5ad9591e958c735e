//! Cells: an answer in a word, with the request that takes it.

use super::{Cell, Mark};
use crate::error::{ErrorKind, PlanError};
use crate::placement::{BoundBy, State};
use crate::plan::{Plan, Request, plan_model};
use crate::planner::view::text::grouped;
use crate::spec::ModelSpec;

/// The largest context of a request, as a cell that takes it.
pub(super) fn largest(model: &ModelSpec, request: Request) -> Cell {
    let answer = plan_model(model, &request);
    let most = answer.as_ref().ok().and_then(|plan| plan.fit.max_context);
    // Where memory is the bound, what is left is little by definition; at the model's limit it has to be looked at.
    let barely = answer.as_ref().is_ok_and(|plan| plan.fit.bound_by == Some(BoundBy::Model)) && {
        let mut longest = request.clone();
        take_context(&mut longest, most.unwrap_or(0));
        plan_model(model, &longest).is_ok_and(|plan| plan.fit.state == State::Barely)
    };
    let mut cell = of(&answer, request, |plan| match (plan.fit.max_context, plan.fit.bound_by) {
        (Some(0), _) => ("none".to_owned(), Mark::Over),
        (Some(most), Some(BoundBy::Model)) if barely => (grouped(most), Mark::Barely),
        (Some(most), Some(BoundBy::Model | BoundBy::Engine)) => (grouped(most), Mark::Limit),
        (Some(most), Some(BoundBy::Memory) | None) => (grouped(most), Mark::Plain),
        (None, _) => ("any".to_owned(), Mark::Plain),
    });
    match (cell.request.as_mut(), most) {
        (Some(request), Some(most)) if most > 0 => take_context(request, most),
        (_, Some(0)) => cell.request = None,
        (_, _) => {}
    }
    cell
}

/// Sets a request's context, whatever the engine's own options say of it.
pub(in crate::planner::view) fn take_context(request: &mut Request, tokens: u64) {
    let field = crate::planner::Field::Context;
    // The context is a plain field of the request: setting it cannot fail.
    if field.set(request, Some(tokens)).is_ok() {
        crate::planner::field::unshadow(request, field, &mut crate::planner::Effect::default());
    }
}

/// An answer as a cell.
pub(super) fn of(
    answer: &Result<Plan, PlanError>,
    request: Request,
    figure: impl Fn(&Plan) -> (String, Mark),
) -> Cell {
    match answer {
        Ok(plan) => {
            let (text, mark) = figure(plan);
            Cell { text, mark, request: Some(Box::new(request)), current: false, reason: None }
        }
        Err(error) => {
            let text = match error.kind {
                ErrorKind::EngineRefuses => "refused",
                ErrorKind::Unsupported => "not modelled",
                ErrorKind::MissingField => "incomplete",
                ErrorKind::UnknownModel | ErrorKind::Invalid | ErrorKind::Overflow => "no",
            };
            let reason = Some(error.message.clone());
            Cell { text: text.to_owned(), mark: Mark::Refused, request: None, current: false, reason }
        }
    }
}
