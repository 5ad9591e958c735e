//! Two lines: does it fit, what binds, what next.

use super::serving::{fleet, holds, prints};
use super::table::{cache_types, engine_name, with_cache};
use super::text::{bytes, grouped, rate};
use crate::engine::EngineName;
use crate::error::{ErrorKind, PlanError};
use crate::fit::{self, Unknown};
use crate::placement::{BoundBy, State as FitState};
use crate::plan::{Plan, Request, plan_model};
use crate::planner::state::View;
use crate::spec::ModelSpec;
use crate::unit::Bytes;

/// The one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::IntoStaticStr)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Word {
    /// It fits, whatever is estimated.
    Fits,
    /// It fits by less than what is estimated.
    Barely,
    /// It does not fit.
    Over,
    /// No device was named: a size, no verdict.
    Needs,
    /// The model or the request is not understood.
    Unknown,
    /// The engine says no.
    Refused,
}

impl Word {
    /// The mark before it.
    #[must_use]
    pub const fn mark(self) -> char {
        match self {
            Self::Fits => '✓',
            Self::Barely => '≈',
            Self::Over => '✗',
            Self::Needs => '·',
            Self::Unknown => '?',
            Self::Refused => '⊘',
        }
    }
}

/// The headline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// The one word.
    pub word: Word,
    /// What is so.
    pub first: String,
    /// What binds, and the next step.
    pub second: String,
}

/// The headline of an answer.
#[must_use]
pub fn headline(answer: Result<&Plan, &PlanError>, view: View) -> Headline {
    headline_with(answer, None, view)
}

/// The headline of an answer, with what to do next, or what is known where there is no plan: see [`next_step`] and
/// [`super::unknown::weights_alone`].
#[must_use]
pub fn headline_with(answer: Result<&Plan, &PlanError>, next: Option<&str>, view: View) -> Headline {
    match answer {
        Ok(plan) => of_plan(plan, next.unwrap_or_default(), view),
        Err(error) => of_error(error, next),
    }
}

/// What to do next with a plan that fits: how far is safe where it fits barely, and where memory is what ends a longer
/// context, how far the next smaller cache type would reach. Nothing in it depends on the context that is set.
#[must_use]
pub fn next_step(model: &ModelSpec, request: &Request, plan: &Plan) -> Option<String> {
    let fit = &plan.fit;
    if served(plan) || fit.bound_by != Some(BoundBy::Memory) && fit.state != FitState::Barely {
        return None;
    }
    match fit.state {
        FitState::Barely => {
            let found = fit::largest(request, model, Unknown::Context).ok()?;
            let safe = found.found()?.safe.filter(|safe| *safe > 0)?;
            Some(format!("{} tokens is safe.", grouped(safe)))
        }
        FitState::Fits => cache_types(engine_name(request)).iter().skip(1).find_map(|codec| {
            let other = plan_model(model, &with_cache(request, codec)).ok()?.fit;
            let most = other.max_context.filter(|most| Some(*most) > fit.max_context)?;
            let limit = if other.bound_by == Some(BoundBy::Model) { "the model's own limit, " } else { "" };
            Some(format!("{codec} cache would reach {limit}{}.", grouped(most)))
        }),
        FitState::Over | FitState::Unknown => None,
    }
}

fn of_plan(plan: &Plan, next: &str, view: View) -> Headline {
    let fit = &plan.fit;
    let device = fit.device.as_deref().map_or_else(|| "the machine".to_owned(), super::words::device);
    let spare = fit.spare_bytes.unwrap_or_default();
    let size = |n: u64| bytes(Bytes::new(n), view);
    let what = conversations(plan);
    let edge = match (edge(plan), next) {
        (edge, "") => edge,
        (edge, next) => format!("{edge} {next}"),
    };
    match fit.state {
        FitState::Unknown => Headline {
            word: Word::Needs,
            first: format!("{} for the cache. {what}.", bytes(plan.kv.allocated_bytes, view)),
            second: pool(plan).unwrap_or_else(|| "Name a device to see whether it fits.".to_owned()),
        },
        FitState::Fits if served(plan) => {
            let (first, second) = serves(plan);
            Headline { word: Word::Fits, first, second: with_speed(second, plan) }
        }
        FitState::Fits => Headline {
            word: Word::Fits,
            first: format!("{} to spare on {device}. {what}.", size(spare.unsigned_abs())),
            second: with_speed(pool(plan).unwrap_or(edge), plan),
        },
        FitState::Barely if served(plan) => {
            let (first, second) = serves(plan);
            let doubt = bytes(fit.doubt_bytes.unwrap_or_default(), view);
            let first = format!("{first} ±{doubt} on {device} is estimated.");
            Headline { word: Word::Barely, first, second: with_speed(second, plan) }
        }
        FitState::Barely => Headline {
            word: Word::Barely,
            first: format!(
                "{} to spare on {device}, but ±{} is estimated. {what}.",
                size(spare.unsigned_abs()),
                bytes(fit.doubt_bytes.unwrap_or_default(), view)
            ),
            second: with_speed(pool(plan).unwrap_or(edge), plan),
        },
        FitState::Over => Headline {
            word: Word::Over,
            first: format!("Does not fit: {} over on {device}. {what}.", size(spare.unsigned_abs())),
            second: match fit.max_context {
                Some(0) => "No context fits: smaller weights, more memory, or layers in RAM.".to_owned(),
                Some(most) => format!("{} tokens fit.", grouped(most)),
                None => String::new(),
            },
        },
    }
}

/// What binds, and how fast it decodes where that is estimated.
fn with_speed(binds: String, plan: &Plan) -> String {
    let Some(speed) = &plan.speed else { return binds };
    let together = if plan.sequences > 1 { " together" } else { "" };
    let space = if binds.is_empty() { "" } else { "   " };
    let (now, empty) = (rate(speed.decode_tokens_per_s), rate(speed.decode_empty_tokens_per_s));
    format!("{binds}{space}{now} tokens/s{together} at this depth, {empty} when empty (estimate).")
}

fn conversations(plan: &Plan) -> String {
    let context = grouped(plan.context.get());
    match plan.sequences {
        1 => format!("One {context}-token conversation"),
        n => format!("{} conversations of {context} tokens", grouped(n)),
    }
}

/// Where a longer context ends, and at what.
fn edge(plan: &Plan) -> String {
    let Some(most) = plan.fit.max_context else { return String::new() };
    let tokens = grouped(most);
    match plan.fit.bound_by {
        Some(BoundBy::Memory) => format!("Memory runs out at {tokens} tokens."),
        Some(BoundBy::Model) => format!("The model's own limit is {tokens} tokens."),
        Some(BoundBy::Engine) => format!("The engine takes up to {tokens} tokens."),
        None => String::new(),
    }
}

/// Whether the engine leaves nothing free, so that how much is to spare says nothing.
fn served(plan: &Plan) -> bool {
    let fills = plan.engine.name.parse().is_ok_and(EngineName::fills_its_device);
    fills && holds(plan).is_some()
}

/// How many machines or conversations, and what else there is to say of the pool.
fn serves(plan: &Plan) -> (String, String) {
    match fleet(plan) {
        Some(fleet) => (fleet, pool(plan).unwrap_or_default()),
        None => (holds(plan).unwrap_or_default(), prints(plan).unwrap_or_default()),
    }
}

/// What an engine with a pool holds, and what it will print about it.
fn pool(plan: &Plan) -> Option<String> {
    match (holds(plan), prints(plan)) {
        (Some(holds), Some(prints)) => Some(format!("{holds} {prints}")),
        (holds, prints) => holds.or(prints),
    }
}

fn of_error(error: &PlanError, known: Option<&str>) -> Headline {
    let field = if error.field.is_empty() { String::new() } else { format!(" ({})", error.field) };
    match error.kind {
        ErrorKind::EngineRefuses => Headline {
            word: Word::Refused,
            first: error.message.clone(),
            second: format!("The engine itself would stop here{field}. Undo takes it back."),
        },
        ErrorKind::MissingField => Headline {
            word: Word::Unknown,
            first: error.message.clone(),
            second: format!("One number is missing{field}."),
        },
        ErrorKind::UnknownModel | ErrorKind::Unsupported | ErrorKind::Invalid | ErrorKind::Overflow => {
            Headline {
                word: Word::Unknown,
                first: format!("Cannot be computed: {}", error.message),
                second: format!(
                    "No cache figure is shown rather than a guess{field}. {}{}Undo takes it back.",
                    known.unwrap_or_default(),
                    if known.is_some() { " " } else { "" }
                ),
            }
        }
    }
}
