//! What an alternative would come to, before it is taken.

use super::answers::marked;
use kvplan_core::plan::Request;
use kvplan_core::planner::Planner;
use kvplan_core::planner::view::change;
use kvplan_core::planner::view::curve::{Curve, curve};
use kvplan_core::planner::view::headline::{Headline, headline};
use kvplan_core::planner::view::memory::Bar;

/// An alternative's figures.
#[derive(Debug)]
pub(crate) struct Preview {
    /// What it would change.
    pub(crate) change: String,
    pub(crate) headline: Headline,
    pub(crate) bars: Vec<Bar>,
    pub(crate) curve: Option<Curve>,
}

impl Preview {
    /// The figures of a request; nothing where it is what is set.
    pub(crate) fn of(planner: &Planner, request: &Request) -> Option<Self> {
        let state = planner.state();
        if *request == state.request {
            return None;
        }
        let (answer, now) = (planner.plan_of(request), planner.plan());
        let model = planner.model().ok()?;
        let plan = answer.as_ref().ok();
        Some(Self {
            change: change::line((&state.request, now.as_ref().ok()), (request, plan), state.view),
            headline: headline(answer.as_ref(), state.view),
            bars: plan.map(|plan| marked(model, request, plan)).unwrap_or_default(),
            curve: plan.and_then(|plan| curve(model, request, plan.context.get(), 60).ok()),
        })
    }
}
