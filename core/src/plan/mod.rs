//! From a request to a plan.
//!
//! [`Request`] is the contract's form, parsed strictly; [`plan`] walks the road (spec → engine → answer) and
//! [`Plan`] is the contract's answer. [`answer_line`] does both for one JSON line, as `kvplan batch` does.

mod answer;
mod decimal;
mod extras;
mod hardware;
mod lengths;
mod memo;
mod object;
mod placed;
mod request;
mod serving;
mod speed;
#[cfg(feature = "tiers")]
mod tiers;
mod twice;
mod weights;

pub use answer::{ComputeShown, EngineShown, Kv, ModelShown, Plan, StoreShown};
pub use decimal::Decimal;
pub(crate) use decimal::gcd;
pub use extras::{ExtraShown, Extras};
pub use hardware::{HardwareEntry, Placement, Reserve, Workload};
pub use memo::Memo;
pub use request::{CacheRequest, EngineRequest, ModelRef, Projections, Request, WhatIf};
pub use serving::{LengthShown, ServingShown};
pub(crate) use speed::decode_rate;
pub use speed::{RateRange, SpeedShown};
#[cfg(feature = "tiers")]
pub use tiers::TierShown;
pub(crate) use twice::refuse as refuse_twice;
pub use weights::{WeightsRequest, WeightsShown};

use crate::error::PlanError;
use crate::read;
use crate::spec::{ModelSpec, SpecFile, catalog, foreign};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// Answers one request.
///
/// # Errors
/// [`PlanError`] in the contract's kinds; never a partial answer.
pub fn plan(request: &Request) -> Result<Plan, PlanError> {
    plan_with(request, Detail::default())
}

/// What an answer may leave out because it costs more than the rest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Search the largest context where hardware is given, and how many conversations a pool holds: some ten
    /// reservations instead of one.
    pub max_context: bool,
}

impl Default for Detail {
    fn default() -> Self {
        Self { max_context: true }
    }
}

/// Answers one request, without what `detail` leaves out. ([`Memo::plan`] for many.)
///
/// # Errors
/// As [`plan`].
pub fn plan_with(request: &Request, detail: Detail) -> Result<Plan, PlanError> {
    Memo::default().plan(request, detail)
}

/// Answers a request for a model that is already understood (the request's own `model` is not read).
///
/// # Errors
/// As [`plan`].
pub fn plan_model(model: &ModelSpec, request: &Request) -> Result<Plan, PlanError> {
    let (detail, mut memo) = (Detail::default(), Memo::default());
    match &request.what_if {
        None => answer(model, request, detail, &mut memo),
        Some(what_if) => {
            let mut plan = answer(&model.with_merged_projections()?, request, detail, &mut memo)?;
            plan.assumptions.push(Cow::Borrowed(what_if.projections.says()));
            Ok(plan)
        }
    }
}

fn answer(model: &ModelSpec, request: &Request, detail: Detail, memo: &mut Memo) -> Result<Plan, PlanError> {
    let machine = memo.machine(request)?;
    let weights = memo.weights(request, model)?;
    let weights = Option::as_ref(&weights);
    let case = request.case_beside(model, &machine, weights, memo.tenants(request)?)?;
    let mut reservation = case.reserve()?;
    let mut placed = placed::place(&case, request, &mut reservation, detail, memo)?;
    let beside = match &placed.bill {
        None if request.extras.is_some() || request.mtp > 0 => Some(case.bill(&reservation)?),
        None | Some(_) => None,
    };
    let speed = match placed.bill.as_ref() {
        None => None,
        Some(bill) => match speed::speed(&case, model, request, &reservation, bill, memo)? {
            speed::Answer::Known(speed) => Some(speed),
            speed::Answer::NotAsked => None,
            speed::Answer::Unknown(why) => {
                placed.assumptions.push(why);
                None
            }
        },
    };
    let served = match detail.max_context || request.workload != Workload::default() {
        true => serving::serve(&case, &reservation, placed.pool.as_ref(), &request.workload)?,
        false => None,
    };
    let mut plan = Plan::compose(model, case.engine(), case.scenario(), reservation, request)?;
    plan.weights = weights.map(WeightsShown::of).transpose()?;
    if let Some(bill) = beside.as_ref().or(placed.bill.as_ref()) {
        plan.stand_beside(&case, bill)?;
    }
    plan.compute = placed.compute;
    plan.pool = placed.pool;
    plan.devices = placed.devices;
    plan.fit = placed.fit;
    plan.speed = speed;
    plan.assumptions.extend(placed.assumptions);
    if request.extras.as_ref().is_some_and(|extras| extras.draft.is_some()) && plan.speed.is_some() {
        plan.assumptions
            .push(Cow::Borrowed("the speed is that of the model alone: what a draft wins is not estimated"));
    }
    if let Some(served) = served {
        plan.serve(served);
    }
    Ok(plan)
}

/// The model a request names or carries.
///
/// # Errors
/// `unknown-model`, or whatever its importer cannot read.
pub fn resolve_model(model: &ModelRef) -> Result<Cow<'static, ModelSpec>, PlanError> {
    match model {
        ModelRef::Id(id) => catalog::find(id).map(Cow::Borrowed),
        ModelRef::Spec(value) => {
            let record: SpecFile = read::value("model.spec", value)?;
            ModelSpec::try_from(record).map(Cow::Owned).map_err(|e| e.within("model.spec"))
        }
        ModelRef::Hf(_) | ModelRef::Gguf(_) => foreign::model(model).map(Cow::Owned),
    }
}

/// One line in, one line out: a plan or an error object, as JSON without a line break, appended to `out`.
pub fn answer_into(line: &[u8], out: &mut Vec<u8>) {
    Memo::default().answer_into(line, Detail::default(), out);
}

impl Memo {
    /// [`answer_into`], without what `detail` leaves out.
    pub fn answer_into(&mut self, line: &[u8], detail: Detail, out: &mut Vec<u8>) {
        let request = match Request::parse(line) {
            Ok(request) => request,
            Err((id, error)) => return out.extend_from_slice(error_line(id.as_ref(), &error).as_bytes()),
        };
        let start = out.len();
        let error = match self.plan(&request, detail) {
            Ok(plan) => match serde_json::to_writer(&mut *out, &plan) {
                Ok(()) => return,
                Err(e) => PlanError::invalid("", format!("the answer could not be written: {e}")),
            },
            Err(error) => error,
        };
        out.truncate(start);
        out.extend_from_slice(error_line(request.id.as_ref(), &error).as_bytes());
    }
}

/// [`answer_into`] for text.
#[must_use]
pub fn answer_line(line: &str) -> String {
    let mut out = Vec::with_capacity(1024);
    answer_into(line.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// The contract's error object, as JSON.
#[must_use]
pub fn error_line(id: Option<&Value>, error: &PlanError) -> String {
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a Value>,
        error: &'a PlanError,
    }
    serde_json::to_string(&Shown { id, error }).unwrap_or_default()
}
