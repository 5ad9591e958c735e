//! The inverse of a plan: the largest number, or the best choice, that a machine holds.
//!
//! [`largest`] takes a request and what is to be found in it ([`Unknown`]) and answers with the request that has the
//! answer in it, or with what stands in the way. Every trial is the question a plan asks (`Case::trial`), so that a
//! plan of the answer fits and a plan of one more does not; [`Found::beyond`] says what that one more runs into.
//!
//! - `answer`: the forms of an answer;
//! - `apply`: an answer, written into the request;
//! - `obstacle`: what stands in the way, to the byte;
//! - `types`, `quality`: cache types in the order of what was measured of them;
//! - `layers`, `devices`: llama.cpp's offload, ranks and the number of devices;
//! - `table`: [`choices`], what each cache type and split comes to, and which of them no other beats.

mod answer;
mod apply;
mod devices;
mod layers;
mod obstacle;
mod quality;
mod table;
mod types;

pub use answer::{CacheChosen, Found, Largest, Obstacle, Outcome, Quantity, Ranked, Split, Unknown};
pub use quality::{Measured, Quality, quality};
pub use table::{Choice, ChoiceSpeed, choices};

use crate::engine::Engine;
use crate::error::PlanError;
use crate::placement::{BoundBy, Case, Machine, Trial, WeightMap};
use crate::plan::Request;
use crate::spec::ModelSpec;
use std::borrow::Cow;

/// Finds the largest `unknown` that `request`'s machine holds, everything else in the request being as it is.
///
/// The request's own value of what is asked for is not read. Without hardware only an engine's pool of fixed size can
/// hold anything.
///
/// # Errors
/// `missing-field` without memory to fit in; whatever a plan of the request cannot answer. That nothing fits is an
/// answer ([`Outcome::Nothing`]), and so is that the engine refuses.
pub fn largest(request: &Request, model: &ModelSpec, unknown: Unknown) -> Result<Largest, PlanError> {
    let question = Question::new(request, model)?;
    let outcome = match unknown {
        Unknown::Context => question.context()?,
        Unknown::Sequences => question.sequences()?,
        Unknown::Cache => question.cache()?,
        Unknown::GpuLayers => question.gpu_layers()?,
        Unknown::HostExperts => question.host_experts()?,
        Unknown::Devices => question.fewest_devices()?,
        Unknown::Split => question.best_split()?,
    };
    Ok(Largest { unknown, outcome })
}

/// Whether `request`'s machine holds its plan, barely or well.
///
/// # Errors
/// As [`largest`].
pub fn holds(request: &Request, model: &ModelSpec) -> Result<bool, PlanError> {
    let question = Question::new(request, model)?;
    Ok(match question.case()?.trial()? {
        Trial::Held(_) => true,
        Trial::Over(_) | Trial::Short { .. } | Trial::Refused(_) => false,
    })
}

/// A request with everything that does not change while it is searched.
struct Question<'a> {
    request: &'a Request,
    model: Cow<'a, ModelSpec>,
    machine: Machine,
    weights: Option<WeightMap>,
}

impl<'a> Question<'a> {
    fn new(request: &'a Request, model: &'a ModelSpec) -> Result<Self, PlanError> {
        let model = match &request.what_if {
            None => Cow::Borrowed(model),
            Some(_) => Cow::Owned(model.with_merged_projections()?),
        };
        let machine = Machine::of(&request.hardware, request.reserve)?;
        let weights = request.weight_map(&model)?;
        let question = Self { request, model, machine, weights };
        if !question.machine.is_given() && !question.case()?.engine().has_fixed_pool() {
            let message = "fit into what? name devices, or give the engine a pool of fixed size";
            return Err(PlanError::missing("hardware", message));
        }
        Ok(question)
    }

    fn case(&self) -> Result<Case<'_>, PlanError> {
        self.request.case(&self.model, &self.machine, self.weights.as_ref())
    }

    fn context(&self) -> Result<Outcome, PlanError> {
        let case = self.case()?;
        let at = |n: u64| case.with_context(n);
        let Some((tokens, bound)) = case.max_context()? else { return Ok(Outcome::Unbounded) };
        if tokens == 0 {
            return nothing(&at(1), 1);
        }
        let beyond = match bound {
            BoundBy::Model => Obstacle::of_model(tokens + 1),
            BoundBy::Memory | BoundBy::Engine => obstacle::of(&at(tokens + 1), Quantity::Count(tokens + 1))?,
        };
        let mut found = self.found(&at(tokens), Quantity::Count(tokens), Some(beyond))?;
        apply::context(&mut found.request, tokens);
        if found.is_barely() {
            found.safe = case.safe_context()?;
        }
        Ok(Outcome::Found(Box::new(found)))
    }

    fn sequences(&self) -> Result<Outcome, PlanError> {
        let case = self.case()?;
        let Some(case) = case.of_own_length()? else { return nothing(&case.with_sequences(1), 1) };
        let at = |n: u64| case.with_sequences(n);
        let Some((sequences, _)) = case.max_sequences()? else { return Ok(Outcome::Unbounded) };
        if sequences == 0 {
            return nothing(&at(1), 1);
        }
        let more = sequences + 1;
        let beyond = obstacle::of(&at(more), Quantity::Count(more))?;
        let mut found = self.found(&at(sequences), Quantity::Count(sequences), Some(beyond))?;
        apply::sequences(&mut found.request, sequences, case.scenario().context);
        if found.is_barely() {
            found.safe = case.safe_sequences()?;
        }
        Ok(Outcome::Found(Box::new(found)))
    }

    /// An answer, weighed where it stands.
    fn found(&self, case: &Case<'_>, value: Quantity, beyond: Option<Obstacle>) -> Result<Found, PlanError> {
        let verdict = match case.trial()? {
            Trial::Held(verdict) => verdict,
            Trial::Over(_) | Trial::Short { .. } | Trial::Refused(_) => None,
        };
        Ok(Found {
            value,
            bound_by: beyond.as_ref().map(|next| next.bound_by),
            state: verdict.as_ref().map(crate::placement::Verdict::state),
            spare_bytes: verdict.as_ref().map(|v| v.spare),
            doubt_bytes: verdict.as_ref().map(|v| v.doubt),
            device: verdict.as_ref().map(|v| case.place_name(v.place)),
            safe: None,
            beyond,
            request: self.request.clone(),
        })
    }
}

/// Not even the least that can be asked for is held.
fn nothing(least: &Case<'_>, tried: u64) -> Result<Outcome, PlanError> {
    Ok(Outcome::Nothing(Box::new(obstacle::of(least, Quantity::Count(tried))?)))
}

impl Engine {
    /// Whether its options size a pool, so that there is something to fit in without a device.
    const fn has_fixed_pool(&self) -> bool {
        match self {
            Self::Vllm(o) => o.kv_cache_memory_bytes.is_some() || o.num_gpu_blocks_override.is_some(),
            Self::Sglang(o) => o.kv_memory_bytes.is_some(),
            Self::TensorRtLlm(o) => o.free_memory_bytes.is_some(),
            Self::ExllamaV3(o) => o.max_num_tokens.is_some(),
            Self::Payload | Self::LlamaCpp(_) | Self::Transformers(_) | Self::Mlx(_) => false,
        }
    }
}
