//! What is drawn: the plan of the planner's state and everything the panels show of it, computed once a change.

use crate::load;
use kvplan_core::error::PlanError;
use kvplan_core::launch::{Launch, Target, export};
use kvplan_core::placement::State as FitState;
use kvplan_core::plan::{Plan, Request};
use kvplan_core::planner::view::curve::{Curve, curve};
use kvplan_core::planner::view::fixes::{Fix, fixes};
use kvplan_core::planner::view::headline::{Headline, headline, headline_with, next_step};
use kvplan_core::planner::view::layers::{LayerMap, map};
use kvplan_core::planner::view::memory::{Bar, bars};
use kvplan_core::planner::view::table::{Table, table};
use kvplan_core::planner::view::unknown::{self, Way};
use kvplan_core::planner::view::why::{Why, why};
use kvplan_core::planner::view::{change, copies};
use kvplan_core::planner::{Lens, Planner, Tab, View};
use kvplan_core::spec::ModelSpec;
use strum::IntoEnumIterator as _;

/// Points of a curve: as many as a wide terminal has columns.
const POINTS: u32 = 120;

/// What is drawn.
#[derive(Debug)]
pub(crate) struct Answers {
    /// The plan, or why there is none.
    pub(crate) plan: Result<Plan, PlanError>,
    /// The last plan there was, where there is none now.
    pub(crate) last: Option<Box<Plan>>,
    pub(crate) headline: Headline,
    pub(crate) bars: Vec<Bar>,
    pub(crate) curve: Option<Curve>,
    pub(crate) map: Option<LayerMap>,
    pub(crate) table: Option<Table>,
    asked: Option<Asked>,
    /// Every engine for the same tokens, where engines are compared, and what they were asked.
    pub(crate) engines: Option<(Table, Asked)>,
    /// Ways out, where it is over or refused.
    pub(crate) fixes: Vec<Fix>,
    /// What can be done where the model is not understood.
    pub(crate) ways: Vec<Way>,
    pub(crate) why: Option<Why>,
    pub(crate) launch: Option<Result<Launch, PlanError>>,
    /// What to do next, and what it was asked for: it does not depend on the context.
    next: Option<(Request, Option<String>)>,
    /// What the last change did.
    pub(crate) change: String,
    /// Plan A: its answer, its curve, and what differs.
    pub(crate) pinned: Option<Pinned>,
}

/// What a table was made for.
type Asked = (Request, View);

/// Plan A beside the plan.
#[derive(Debug)]
pub(crate) struct Pinned {
    /// Its plan.
    pub(crate) plan: Result<Plan, PlanError>,
    /// Its curve.
    pub(crate) curve: Option<Curve>,
    /// Its bars.
    pub(crate) bars: Vec<Bar>,
    /// What differs from it, in words.
    pub(crate) differences: Vec<String>,
}

impl Answers {
    /// The answers of a state; `before` are those of the state it came from.
    pub(crate) fn of(planner: &Planner, before: Option<Self>) -> Self {
        let state = planner.state();
        let (request, view) = (&state.request, state.view);
        let plan = planner.plan_of(&Request { explain: true, ..request.clone() });
        let model = planner.model().ok();
        let (kept, engines, last, drawn, said) = match before {
            None => (None, None, None, None, None),
            Some(before) => {
                let last = before.plan.ok().map(Box::new).or(before.last);
                let drawn = (before.bars, before.curve);
                (before.table.zip(before.asked), before.engines, last, Some(drawn), before.next)
            }
        };
        // Of a model that is not understood nothing can be drawn anew: what was drawn last stays, greyed.
        let stale = drawn.filter(|_| model.is_none());
        let last = last.filter(|_| plan.is_err());
        // What is shown greyed where there is no plan now.
        let shown = plan.as_ref().ok().or(last.as_deref());
        // A table that something has changed stays in sight until the new one follows the frame.
        let (table, asked) = match kept.filter(|_| model.is_some()) {
            Some((table, then)) => (Some(table), Some(then)),
            None => (None, None),
        };
        let of = |model: Option<&ModelSpec>, request: &Request, plan: Option<&Plan>| {
            let context = plan.map_or(request.context.unwrap_or(1024), |plan| plan.context.get());
            model.and_then(|model| curve(model, request, context, POINTS).ok())
        };
        let (bars, curve) = stale.unwrap_or_else(|| {
            let bars = model.zip(shown).map(|(model, plan)| marked(model, request, plan));
            (bars.unwrap_or_default(), of(model, request, shown))
        });
        let next = model.zip(plan.as_ref().ok()).map(|(model, plan)| {
            // Whether it fits barely does depend on the context.
            let barely = (plan.fit.state == FitState::Barely).then_some(1);
            let asked = Request { context: request.context.map(|_| barely.unwrap_or(0)), ..request.clone() };
            match said.filter(|(then, _)| *then == asked) {
                Some(said) => said,
                None => (asked, next_step(model, request, plan)),
            }
        });
        let step = next.as_ref().and_then(|(_, step)| step.clone());
        // Where there is no plan, what is known without one.
        let step = step.or_else(|| plan.is_err().then(|| unknown::weights_alone(planner)).flatten());
        Self {
            headline: headline_with(plan.as_ref(), step.as_deref(), view),
            next,
            bars,
            curve,
            map: model.map(|model| map(model, shown)),
            table,
            asked,
            engines: engines.filter(|_| model.is_some()),
            fixes: model.map(|model| fixes(model, request, plan.as_ref())).unwrap_or_default(),
            ways: if model.is_none() { Way::iter().collect() } else { Vec::new() },
            why: model.zip(shown).map(|(model, plan)| why(model, plan, view.figure)),
            launch: model.and_then(|model| {
                let engine = request.engine.as_ref()?.name;
                let target = Target::iter().find(|target| target.engine() == engine)?;
                let file = planner.file().and_then(|path| load::weights_file(path, engine));
                plan.is_ok().then(|| export(target, model, request, file))
            }),
            change: planner.before().map_or_else(String::new, |before| {
                let then = planner.plan_of(before).ok();
                change::line((before, then.as_ref()), (request, plan.as_ref().ok()), view)
            }),
            pinned: state.pinned.as_deref().map(|pinned| {
                let (model, then) = (planner.model_of(pinned).ok(), planner.plan_of(pinned));
                let (model, plan) = (model.as_deref(), then.as_ref().ok());
                let bars = model.zip(plan).map(|(model, plan)| marked(model, pinned, plan));
                Pinned {
                    curve: of(model, pinned, plan),
                    bars: bars.unwrap_or_default(),
                    differences: change::differences(pinned, request, view),
                    plan: then,
                }
            }),
            plan,
            last,
        }
    }

    /// Whether the alternatives are those of another state: they take longer than a frame, and follow it.
    pub(crate) fn is_due(&self, planner: &Planner) -> bool {
        planner.model().is_ok() && (self.is_table_due(planner) || self.are_engines_due(planner))
    }

    fn is_table_due(&self, planner: &Planner) -> bool {
        let state = planner.state();
        self.asked.as_ref() != Some(&asked(&state.request, state.view))
    }

    fn are_engines_due(&self, planner: &Planner) -> bool {
        let state = planner.state();
        let then = self.engines.as_ref().map(|(_, asked)| asked);
        state.view.tab == Tab::Compare && then != Some(&asked(&state.request, of_engines(state.view)))
    }

    /// The alternatives of the state.
    pub(crate) fn finish(&mut self, planner: &Planner) {
        let state = planner.state();
        let Ok(model) = planner.model() else { return };
        if self.is_table_due(planner) {
            let view = View { exact_bytes: false, ..state.view };
            self.table = Some(table(model, &state.request, view));
            self.asked = Some(asked(&state.request, state.view));
        }
        if self.are_engines_due(planner) {
            let view = of_engines(state.view);
            self.engines = Some((table(model, &state.request, view), asked(&state.request, view)));
        }
    }

    /// A stand-in that is never drawn.
    pub(crate) fn none() -> Self {
        let nothing = PlanError::invalid("", "");
        Self {
            headline: headline(Err(&nothing), View::default()),
            plan: Err(nothing),
            last: None,
            bars: Vec::new(),
            curve: None,
            map: None,
            table: None,
            asked: None,
            engines: None,
            fixes: Vec::new(),
            ways: Vec::new(),
            next: None,
            why: None,
            launch: None,
            change: String::new(),
            pinned: None,
        }
    }

    /// The plan that is drawn: the last there was, where there is none now.
    pub(crate) fn shown(&self) -> Option<&Plan> {
        self.plan.as_ref().ok().or(self.last.as_deref())
    }
}

/// The bars of a plan, with what is copied across ranks.
pub(crate) fn marked(model: &ModelSpec, request: &Request, plan: &Plan) -> Vec<Bar> {
    let mut found = bars(model, plan);
    copies::mark(&mut found, model, request, plan);
    found
}

/// The view whose alternatives are engines.
fn of_engines(view: View) -> View {
    View { lens: Lens::Engines, exact_bytes: false, ..view }
}

/// What a table depends on: the largest contexts do not depend on the context that is set.
fn asked(request: &Request, view: View) -> (Request, View) {
    let context = match view.lens {
        Lens::Weights | Lens::Devices => request.context.map(|_| 0),
        Lens::Engines | Lens::Methods => request.context,
    };
    let view = View { lens: view.lens, units: view.units, ..View::default() };
    (Request { context, ..request.clone() }, view)
}
