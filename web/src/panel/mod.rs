//! What is shown, in the order of the questions: does it fit, where are the bytes, what limits, what else, why, how to run.

mod alternatives;
mod bars;
mod compare;
mod curve;
mod facts;
mod headline;
mod layers;
mod received;
mod run;
mod serving;
mod share;
mod why;

pub(crate) use alternatives::alternatives;
pub(crate) use bars::bars;
pub(crate) use compare::compare;
pub(crate) use curve::{chart as chart_of, curve};
pub(crate) use facts::facts;
pub(crate) use headline::headline;
pub(crate) use layers::layers;
pub(crate) use received::received;
pub(crate) use run::run;
pub(crate) use serving::serving;
pub(crate) use share::share;
pub(crate) use why::why;

use crate::store::Store;
use kvplan_core::planner::{Action, Figure, Part};

/// Whether the figure that is selected belongs to this part of memory.
fn is_lit(store: Store, part: Part) -> bool {
    store.lit.get() == Some(part)
}

/// Selects a figure; the selected one again selects the whole cache.
fn light(store: Store, figure: Figure) {
    let now = store.view.get_untracked().figure;
    store.act(Action::Select(if now == figure { Figure::Cache } else { figure }));
}

use leptos::prelude::{Get as _, GetUntracked as _};
