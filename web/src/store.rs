//! The planner and what follows from it. Everything shown is a memo of the state, so that an input redraws what it changes
//! and nothing else.

use crate::chart::Scale;
use kvplan_core::error::PlanError;
use kvplan_core::placement::State as FitState;
use kvplan_core::plan::{self, Plan, Request};
use kvplan_core::planner::view::change;
use kvplan_core::planner::view::copies;
use kvplan_core::planner::view::curve::{Curve, curve};
use kvplan_core::planner::view::fixes::{Fix, fixes};
use kvplan_core::planner::view::headline::{Headline, headline_with, next_step};
use kvplan_core::planner::view::layers::{self, LayerMap};
use kvplan_core::planner::view::memory::{Bar, bars};
use kvplan_core::planner::view::table::{Table, table};
use kvplan_core::planner::view::unknown::weights_alone;
use kvplan_core::planner::view::why::{Why, why};
use kvplan_core::planner::{Action, Field, Figure, Lens, Part, Planner, View};
use leptos::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// Points of a curve: more than a chart has bends.
const POINTS: u32 = 65;

/// A plan, or why there is none.
pub(crate) type Answer = Result<Arc<Plan>, PlanError>;

/// What the panels draw of a plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shown {
    pub plan: Arc<Plan>,
    pub bars: Vec<Bar>,
    pub layers: LayerMap,
}

/// The planner, for every part of the page.
#[derive(Clone, Copy)]
pub(crate) struct Store {
    pub planner: RwSignal<Planner>,
    pub request: Memo<Request>,
    pub view: Memo<View>,
    pub answer: Memo<Answer>,
    /// The last plan that could be computed, kept while the present one cannot.
    pub shown: Memo<Option<Shown>>,
    pub headline: Memo<Headline>,
    /// What to do next, found after the answer is painted.
    pub next: RwSignal<Option<String>>,
    /// The part of memory that the selected figure belongs to: lit wherever it is drawn.
    pub lit: Memo<Option<Part>>,
    /// How far apart the curve's tokens lie.
    pub scale: RwSignal<Scale>,
    pub curve: Memo<Option<Curve>>,
    pub table: RwSignal<Option<Table>>,
    /// Ways out of an answer that is over or refused.
    pub fixes: RwSignal<Vec<Fix>>,
    pub why: Memo<Option<Why>>,
    pub change: Memo<String>,
    /// Something to say about the last action.
    pub notice: RwSignal<Option<String>>,
    /// The number under the pointer.
    pub dragging: RwSignal<Option<Field>>,
    /// The number that is kept at its largest.
    pub largest: Memo<Option<Field>>,
    /// A cell that is looked at and not taken.
    pub preview: RwSignal<Option<Request>>,
}

impl Store {
    pub(crate) fn new(planner: Planner) -> Self {
        let planner = RwSignal::new(planner);
        let dragging = RwSignal::new(None);
        let request = Memo::new(move |_| planner.with(|p| p.state().request.clone()));
        let view = Memo::new(move |_| planner.with(|p| p.state().view));
        let answer: Memo<Answer> = Memo::new(move |_| {
            let request = Request { explain: true, ..request.get() };
            planner.with_untracked(|p| p.plan_of(&request)).map(Arc::new)
        });
        let shown = Memo::new(move |last: Option<&Option<Shown>>| match answer.get() {
            Ok(plan) => planner.with_untracked(|p| {
                let model = p.model().ok()?;
                let (mut bars, layers) = (bars(model, &plan), layers::map(model, Some(&plan)));
                copies::mark(&mut bars, model, &p.state().request, &plan);
                Some(Shown { plan, bars, layers })
            }),
            Err(_) => last.cloned().flatten(),
        });
        let next = RwSignal::new(None);
        let headline = Memo::new(move |_| {
            answer.with(|answer| {
                next.with(|next: &Option<String>| {
                    headline_with(answer.as_deref(), next.as_deref(), view.get())
                })
            })
        });
        let lit = Memo::new(move |_| match view.get().figure {
            Figure::Cache => None,
            Figure::Part(part) => Some(part),
            Figure::Layer(layer) => shown.with(|shown| {
                let plan = &shown.as_ref()?.plan;
                let layer = usize::try_from(layer).ok()?;
                planner.with_untracked(|p| layers::part_of_layer(p.model().ok()?, plan, layer))
            }),
        });
        let scale = RwSignal::new(Scale::Linear);
        let curve = Memo::new(move |last: Option<&Option<Curve>>| {
            let request = request.get();
            let context = answer.with(|a| a.as_ref().ok().map(|plan| plan.context.get()));
            // While the context is pulled along it, a curve stays what it is.
            if dragging.get() == Some(Field::Context)
                && let (Some(Some(last)), Some(context)) = (last, context)
                && context <= last.longest
            {
                return Some(last.clone());
            }
            // Where short contexts are told apart, the first of them are closer together.
            let points = match scale.get() {
                Scale::Linear => POINTS,
                Scale::Doublings => POINTS * 4,
            };
            planner.with_untracked(|p| curve(p.model().ok()?, &request, context?, points).ok())
        });
        let why = Memo::new(move |_| {
            let figure = planner.with(|p| p.state().view.figure);
            shown.with(|shown| {
                let plan = &shown.as_ref()?.plan;
                planner.with_untracked(|p| p.model().ok().map(|model| why(model, plan, figure)))
            })
        });
        let change = Memo::new(move |_| {
            let now = answer.get();
            planner.with(|p| {
                let Some(before) = p.before() else { return String::new() };
                let then = if before.model == p.state().request.model {
                    p.plan_of(before)
                } else {
                    plan::plan(before)
                };
                let now = (&p.state().request, now.as_deref().ok());
                change::line((before, then.as_ref().ok()), now, p.state().view)
            })
        });
        let store = Self {
            planner,
            request,
            view,
            answer,
            shown,
            headline,
            next,
            lit,
            scale,
            curve,
            table: RwSignal::new(None),
            fixes: RwSignal::new(Vec::new()),
            why,
            change,
            notice: RwSignal::new(None),
            dragging,
            largest: Memo::new(move |_| planner.with(|p| p.state().largest)),
            preview: RwSignal::new(None),
        };
        store.keep_table();
        store.keep_fixes();
        store.keep_next();
        store
    }

    /// Lets an action happen; what it cannot do is said.
    pub(crate) fn act(self, action: Action) {
        // What was looked at may go with the change, and then never says that it is left.
        if self.preview.with_untracked(Option::is_some) {
            self.preview.set(None);
        }
        if let Action::Drag { field, .. } = &action {
            self.dragging.set(Some(*field));
        } else if self.dragging.get_untracked().is_some() {
            self.dragging.set(None);
        }
        match self.planner.try_update(|planner| planner.update(action)) {
            Some(Ok(effect)) => {
                let dropped = effect.dropped.join(", ");
                self.notice.set(
                    (!dropped.is_empty()).then(|| format!("Taken out, for they no longer apply: {dropped}.")),
                );
            }
            Some(Err(error)) => self.notice.set(Some(said(&error))),
            None => {}
        }
    }

    /// Ways out are found by planning them: after the answer is painted, and not while something is pulled.
    fn keep_fixes(self) {
        Effect::new(move |_| {
            let (answer, pulled) = (self.answer.get(), self.dragging.get().is_some());
            let needed = answer.as_ref().map_or(true, |plan| plan.fit.state == FitState::Over);
            if pulled || !needed {
                self.fixes.set(Vec::new());
                return;
            }
            let request = self.request.get_untracked();
            set_timeout(
                move || {
                    let plan = answer.as_deref();
                    let found = self
                        .planner
                        .with_untracked(|p| p.model().ok().map(|model| fixes(model, &request, plan)));
                    self.fixes.set(found.unwrap_or_default());
                },
                Duration::ZERO,
            );
        });
    }

    /// The next step is found by planning it, too; without a plan it is what is known. None depends on a context that
    /// fits, so that pulling it leaves it.
    fn keep_next(self) {
        let key = Memo::new(move |_| {
            let request = self.request.get();
            let fits = self.answer.with(|answer| answer.as_ref().ok().map(|plan| plan.fit.state));
            let context = request.context.filter(|_| fits == Some(FitState::Barely));
            (Request { context, ..request }, fits)
        });
        Effect::new(move |_| {
            // Read, not only tracked: a memo that nobody has read yet does not know what it depends on.
            key.with(|_| ());
            self.next.set(None);
            let (request, answer) = (self.request.get_untracked(), self.answer.get_untracked());
            set_timeout(
                move || {
                    let found = self.planner.with_untracked(|p| match answer {
                        Ok(plan) => next_step(p.model().ok()?, &request, &plan),
                        Err(_) => weights_alone(p),
                    });
                    self.next.set(found);
                },
                Duration::ZERO,
            );
        });
    }

    /// The table of alternatives is hundreds of plans: it follows after the page has shown the answer.
    fn keep_table(self) {
        let key = Memo::new(move |last: Option<&(Request, View)>| {
            if self.dragging.get().is_some()
                && let Some(last) = last
            {
                return last.clone();
            }
            let (mut request, view) = (self.request.get(), self.view.get());
            match view.lens {
                // Each cell is a largest context: the one that is set changes none.
                Lens::Weights | Lens::Devices => request.context = None,
                Lens::Engines | Lens::Methods => {}
            }
            let shown =
                View { lens: view.lens, units: view.units, exact_bytes: view.exact_bytes, ..View::default() };
            (request, shown)
        });
        Effect::new(move |_| {
            let (_, view) = key.get();
            let request = self.request.get_untracked();
            set_timeout(
                move || {
                    let made = self
                        .planner
                        .with_untracked(|p| p.model().ok().map(|model| table(model, &request, view)));
                    self.table.set(made);
                },
                Duration::ZERO,
            );
        });
    }
}

/// An error as a sentence.
pub(crate) fn said(error: &PlanError) -> String {
    if error.field.is_empty() { error.message.clone() } else { format!("{}: {}", error.field, error.message) }
}
