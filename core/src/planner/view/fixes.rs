//! What to do about a plan that is over or refused: requests that can be taken, each with its price.

use super::table::{cache_types, divergence, engine_name, formats, take_context, with_cache};
use super::text::{grouped, rate};
use crate::codec::Codec;
use crate::engine::EngineName;
use crate::error::{ErrorKind, PlanError};
use crate::fit::{self, Unknown};
use crate::placement::State;
use crate::plan::{Plan, Request, WeightsRequest, plan_model};
use crate::planner::field::Field;
use crate::spec::ModelSpec;
use crate::unit::Binary;

/// One way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Fix {
    /// What it changes and what it costs: `q8_0 cache, KL +.0002`.
    pub text: String,
    /// What to ask for it.
    pub request: Box<Request>,
}

/// As many as there are keys for.
const MOST: usize = 3;

/// Replicas are not sought beyond this.
const REPLICAS: u64 = 4096;

/// Up to three ways out of an answer that is over or refused, each of which fits or is accepted.
#[must_use]
pub fn fixes(model: &ModelSpec, request: &Request, answer: Result<&Plan, &PlanError>) -> Vec<Fix> {
    let mut found: Vec<Fix> = match answer {
        Ok(plan) if plan.fit.state == State::Over => {
            let many = plan.sequences > 1 && engine_name(request).fills_its_device();
            let all = [
                many.then(|| replicas(model, request)).flatten(),
                cache(model, request),
                context(model, request, plan),
                experts_in_ram(model, request),
                cache_in_ram(model, request),
                weights(model, request),
                sequences(model, request, plan),
                devices(model, request),
            ];
            all.into_iter().flatten().collect()
        }
        Ok(_) => Vec::new(),
        Err(error) if error.kind == ErrorKind::EngineRefuses => refused(model, request, error),
        Err(_) => Vec::new(),
    };
    found.truncate(MOST);
    found
}

fn fits(model: &ModelSpec, request: &Request) -> bool {
    plan_model(model, request).is_ok_and(|plan| matches!(plan.fit.state, State::Fits | State::Barely))
}

fn fix(text: String, request: Request) -> Fix {
    Fix { text, request: Box::new(request) }
}

/// The first smaller cache type that fits.
fn cache(model: &ModelSpec, request: &Request) -> Option<Fix> {
    cache_types(engine_name(request)).iter().skip(1).find_map(|codec| {
        let other = with_cache(request, codec);
        let known = Codec::parse(codec)?;
        let price = match known.measured().and_then(|row| row.kl) {
            Some(kl) => format!("KL +{}", divergence(kl)),
            None => format!("{} stored bits", known.layout().info().bits_per_element),
        };
        fits(model, &other).then(|| fix(format!("{codec} cache, {price}"), other))
    })
}

/// The largest context that fits.
fn context(model: &ModelSpec, request: &Request, plan: &Plan) -> Option<Fix> {
    let most = plan.fit.max_context.filter(|most| *most > 0)?;
    let mut other = request.clone();
    take_context(&mut other, most);
    fits(model, &other).then(|| fix(format!("{} tokens", grouped(most)), other))
}

/// As few layers' experts in RAM as it takes.
fn experts_in_ram(model: &ModelSpec, request: &Request) -> Option<Fix> {
    let n = fit::largest(request, model, Unknown::HostExperts).ok()?.found()?.count().filter(|n| *n > 0)?;
    let mut other = request.clone();
    Field::ExpertLayersOnHost.set(&mut other, Some(n)).ok()?;
    let rate = rate_of(model, &other)?;
    Some(fix(format!("experts of {n} layers in RAM, {}", rate.as_deref().unwrap_or("slower")), other))
}

/// The cache in RAM, where it is known how slow that is.
fn cache_in_ram(model: &ModelSpec, request: &Request) -> Option<Fix> {
    let mut other = request.clone();
    let engine = other.engine.as_mut().filter(|engine| engine.name == EngineName::LlamaCpp)?;
    engine.options.insert("offload_kqv".to_owned(), false.into());
    let rate = rate_of(model, &other)??;
    Some(fix(format!("cache in RAM, {rate}"), other))
}

/// What a plan that fits decodes in a second, as far as it is known.
fn rate_of(model: &ModelSpec, request: &Request) -> Option<Option<String>> {
    let plan = plan_model(model, request).ok()?;
    let fits = matches!(plan.fit.state, State::Fits | State::Barely);
    fits.then(|| plan.speed.map(|speed| format!("{} tokens/s", rate(speed.decode_tokens_per_s))))
}

/// The largest usual weight format that fits.
fn weights(model: &ModelSpec, request: &Request) -> Option<Fix> {
    request.weights.as_ref()?;
    formats(engine_name(request)).iter().find_map(|format| {
        let weights = Some(WeightsRequest::Format((*format).to_owned()));
        let other = Request { weights, ..request.clone() };
        let plan = plan_model(model, &other).ok()?;
        let size = plan.weights.map(|weights| Binary(weights.bytes)).map(|bytes| format!(", {bytes}"));
        matches!(plan.fit.state, State::Fits | State::Barely)
            .then(|| fix(format!("{format} weights{}", size.unwrap_or_default()), other))
    })
}

/// As many conversations as fit.
fn sequences(model: &ModelSpec, request: &Request, plan: &Plan) -> Option<Fix> {
    let with = |n: u64| {
        let mut other = request.clone();
        Field::Sequences.set(&mut other, Some(n)).ok()?;
        Some(other)
    };
    let (mut low, mut high) = (0, plan.sequences);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if with(middle).is_some_and(|other| fits(model, &other)) { low = middle } else { high = middle }
    }
    let noun = if low == 1 { "conversation" } else { "conversations" };
    (low > 0).then(|| with(low)).flatten().map(|other| fix(format!("{} {noun}", grouped(low)), other))
}

/// Twice, four or eight times the devices.
fn devices(model: &ModelSpec, request: &Request) -> Option<Fix> {
    [2, 4, 8].into_iter().find_map(|times| {
        let mut other = request.clone();
        let entry = other.hardware.iter_mut().find(|entry| !entry.device.eq_ignore_ascii_case("cpu"))?;
        entry.count = entry.count.checked_mul(times)?;
        let text = format!("{} × {}", entry.count, super::words::device(&entry.device));
        if engine_name(request).fills_its_device() {
            other.placement.tp = other.placement.tp.checked_mul(times)?;
        }
        fits(model, &other).then(|| fix(text, other))
    })
}

/// As many of the machine as the conversations need, each holding its share.
fn replicas(model: &ModelSpec, request: &Request) -> Option<Fix> {
    let [entry] = request.hardware.as_slice() else { return None };
    let with = |n: u64| {
        let mut other = request.clone();
        let own = other.hardware.first_mut()?;
        own.count = entry.count.checked_mul(n)?;
        other.placement.dp = request.placement.dp.checked_mul(n)?;
        Some(other)
    };
    let holds = |n: u64| with(n).is_some_and(|other| fits(model, &other));
    let mut high = 2;
    while !holds(high) {
        high = Some(high * 2).filter(|n| *n <= REPLICAS)?;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle }
    }
    let machine = super::change::devices(&request.hardware);
    with(high).map(|other| fix(format!("{} of {machine}", grouped(high)), other))
}

/// What was set that the engine does not take, back at its default, one by one.
fn refused(model: &ModelSpec, request: &Request, error: &PlanError) -> Vec<Fix> {
    let mut found: Vec<(bool, Fix)> = Vec::new();
    let mut offer = |named: bool, text: String, other: Request| {
        if plan_model(model, &other).is_ok() {
            found.push((named, fix(text, other)));
        }
    };
    if let Some(engine) = &request.engine {
        for name in engine.options.keys() {
            let mut other = request.clone();
            if let Some(engine) = &mut other.engine {
                engine.options.remove(name);
            }
            let named = error.field.ends_with(name.as_str()) || error.message.contains(name.as_str());
            offer(named, format!("{name} as {} has it", engine.name), other);
        }
    }
    for (name, knob) in [("V", crate::cache::Knob::V), ("K", crate::cache::Knob::K)] {
        let mut other = request.clone();
        other.cache.set(knob, None);
        if other.cache != request.cache {
            offer(false, format!("cache {name} as the engine has it"), other);
        }
    }
    // What the refusal names comes first.
    crate::order::by_key(&mut found, |(named, _)| !named);
    found.into_iter().map(|(_, fix)| fix).collect()
}
