//! Serving: how many conversations are held at once, of full and of usual length, and how many copies of the placement so
//! many sessions take.
//!
//! Every number is the same question asked of the [`Case`] again: sequences of that length, with their common beginning,
//! until one number is held and the next is not.

use super::hardware::Workload;
use crate::engine::{Engine, Reservation};
use crate::error::{ErrorKind, PlanError};
use crate::explain::{Basis, Rule, Term};
use crate::placement::{BoundBy, Case, PoolShown};
use crate::unit::{Bytes, grouped};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;

/// How many conversations are held.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ServingShown {
    /// Of the full length.
    pub full: LengthShown,
    /// Of the usual length, where one is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typical: Option<LengthShown>,
    /// Of the length that 19 of 20 stay below, where one is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95: Option<LengthShown>,
    /// How equal beginnings are shared.
    pub rule: &'static str,
    /// Sessions asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<u64>,
    /// Devices of one copy of the placement.
    pub devices: u64,
    /// What tiers behind the cache keep, where they are asked about.
    #[cfg(feature = "tiers")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<super::tiers::TierShown>,
    /// How sure: `exact` for a pool of given size, `derived` for what weights and buffers leave.
    pub basis: Basis,
    /// Whether a common beginning was given; not part of the JSON.
    #[serde(skip)]
    pub asked_to_share: bool,
    /// The rule in full; not part of the JSON.
    #[serde(skip)]
    pub sharing: &'static Rule,
}

/// Conversations of one length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LengthShown {
    /// Tokens of each.
    pub context: u64,
    /// Tokens at the start of each that are kept once.
    pub shared_tokens: u64,
    /// Bytes kept once, in the engine's own figures (one rank's where it shards).
    pub shared_bytes: Bytes,
    /// Bytes that each takes beside them.
    pub bytes_each: Bytes,
    /// How many one copy of the placement holds at once; absent where no memory is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversations: Option<u64>,
    /// How many while only one of their prompts is read and all others generate, where that is more: a window then
    /// keeps nothing in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<u64>,
    /// What one more runs into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_by: Option<BoundBy>,
    /// Copies of the placement that hold the sessions asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u64>,
}

/// What is said about serving, and what was assumed on the way.
pub(super) struct Served {
    pub(super) shown: ServingShown,
    pub(super) terms: Vec<Term>,
    pub(super) assumptions: Vec<Cow<'static, str>>,
}

/// Answers the workload; `None` where none is asked and the engine has no pool that more conversations would share.
///
/// # Errors
/// What the engine cannot answer at one of the lengths; `overflow`.
pub(super) fn serve(
    case: &Case<'_>,
    reservation: &Reservation,
    pool: Option<&PoolShown>,
    workload: &Workload,
) -> Result<Option<Served>, PlanError> {
    let known = case.machine().is_given() || reservation.pool.is_some();
    if *workload == Workload::default() && !(known && has_pool(case.engine())) {
        return Ok(None);
    }
    #[cfg(not(feature = "tiers"))]
    if workload.host_tier_bytes > 0 || workload.disk_tier_bytes > 0 {
        return Err(PlanError::unsupported("workload", "tiers are counted by `kvplan plan`"));
    }
    let full = reservation.context.get();
    let mut assumptions = Vec::new();
    let mut cut = |name: &str, asked: u64| match asked {
        0 => None,
        asked if asked > full => {
            assumptions.push(Cow::Owned(format!(
                "{name} {} is above the context of {}: counted as that",
                grouped(asked),
                grouped(full)
            )));
            Some(full)
        }
        asked => Some(asked),
    };
    let (typical, p95) =
        (cut("typical_context", workload.typical_context), cut("p95_context", workload.p95_context));
    let known_pool = known.then_some(pool);
    let mut given_up = false;
    let mut of = |context: u64| -> Result<LengthShown, PlanError> {
        let apart = length(case, context, full, known_pool, workload, 0)?;
        if workload.shared_prefix == 0 {
            return Ok(apart);
        }
        let together = length(case, context, full, known_pool, workload, workload.shared_prefix)?;
        // What is kept once and read by none is given up where memory is short: a window's part of a beginning that all
        // have left behind may weigh more than what they share of the full layers.
        let is_worth_it = together.conversations >= apart.conversations;
        given_up |= !is_worth_it;
        Ok(if is_worth_it { together } else { apart })
    };
    let shown = ServingShown {
        full: of(full)?,
        typical: typical.map(&mut of).transpose()?,
        p95: p95.map(&mut of).transpose()?,
        rule: case.engine().sharing().id,
        sessions: (workload.sessions > 0).then_some(workload.sessions),
        devices: u64::try_from(case.machine().devices.len()).unwrap_or(u64::MAX).max(1),
        #[cfg(feature = "tiers")]
        tiers: super::tiers::tiers(case, full, workload)?,
        basis: if reservation.pool.is_some() { Basis::Exact } else { Basis::Derived },
        asked_to_share: workload.shared_prefix > 0,
        sharing: case.engine().sharing(),
    };
    if given_up {
        assumptions.push(Cow::Borrowed(
            "a beginning that takes more memory kept once than it saves is given up: it is counted with each conversation",
        ));
    }
    if !known {
        assumptions.push(Cow::Borrowed(
            "neither hardware nor a pool of a size is given: how many conversations are held is not known",
        ));
    }
    if known && case.ranks().dp > 1 {
        assumptions.push(Cow::Owned(format!(
            "each of the {} data-parallel replicas keeps a common beginning of its own",
            case.ranks().dp
        )));
    }
    let explained = case.scenario().explain && *workload != Workload::default();
    let terms = if explained { terms(&shown) } else { Vec::new() };
    Ok(Some(Served { shown, terms, assumptions }))
}

/// Engines that take what memory there is and deal it out by the page.
fn has_pool(engine: &Engine) -> bool {
    match engine {
        Engine::Vllm(_) | Engine::Sglang(_) | Engine::TensorRtLlm(_) => true,
        Engine::ExllamaV3(options) => options.max_num_tokens.is_some(),
        Engine::Payload | Engine::LlamaCpp(_) | Engine::Transformers(_) | Engine::Mlx(_) => false,
    }
}

fn length(
    case: &Case<'_>,
    context: u64,
    full: u64,
    known: Option<Option<&PoolShown>>,
    workload: &Workload,
    shared: u64,
) -> Result<LengthShown, PlanError> {
    // Where every sequence reserves the full length, a shorter one is held like a full one.
    let reserved = if case.engine().is_pooled() { context } else { full };
    let asked = case.with_context(reserved).with_shared(shared);
    let (shared_tokens, shared_bytes, bytes_each) = shares(&asked)?;
    let most = if known.is_some() { asked.max_sequences()? } else { None };
    let conversations = most.map(|(n, _)| n);
    let settled = match known {
        Some(pool) => settled(&asked, pool)?.filter(|n| conversations.is_some_and(|most| *n > most)),
        None => None,
    };
    let needed = |n: u64| (n > 0 && workload.sessions > 0).then(|| workload.sessions.div_ceil(n));
    Ok(LengthShown {
        context,
        shared_tokens,
        shared_bytes,
        bytes_each,
        conversations,
        settled,
        bound_by: most.map(|(_, bound)| bound),
        replicas: conversations.and_then(needed),
    })
}

/// Tokens and bytes kept once, and bytes of each: as the engine says, or by what a second sequence adds.
fn shares(case: &Case<'_>) -> Result<(u64, Bytes, Bytes), PlanError> {
    let sizeless = case.without_pool();
    let one = sizeless.with_sequences(1).reserve()?;
    match one.common {
        Some(common) => Ok((common.tokens, common.once, common.each)),
        None => {
            let two = sizeless.with_sequences(sizeless.ranks().dp.saturating_mul(2)).reserve()?;
            Ok((0, Bytes::ZERO, two.allocated()?.minus(one.allocated()?).unwrap_or_default()))
        }
    }
}

/// How many are held while one prompt is read and all others only generate, where that is more than all at once.
fn settled(case: &Case<'_>, pool: Option<&PoolShown>) -> Result<Option<u64>, PlanError> {
    let one = case.with_sequences(1);
    let sized = match pool {
        None => one,
        Some(pool) => match one.with_pool(pool.bytes) {
            Some(sized) => sized,
            None => return Ok(None),
        },
    };
    match sized.reserve() {
        Ok(found) => Ok(found
            .room
            .settled
            .map(|n| n.min(found.room.slots.unwrap_or(u64::MAX)).saturating_mul(case.ranks().dp))),
        // A pool that holds not one: the verdict says so.
        Err(error) if error.kind == ErrorKind::EngineRefuses => Ok(None),
        Err(error) => Err(error),
    }
}

fn terms(shown: &ServingShown) -> Vec<Term> {
    let named =
        [("full", Some(&shown.full)), ("typical", shown.typical.as_ref()), ("p95", shown.p95.as_ref())];
    let of = |(name, length): (&str, Option<&LengthShown>)| {
        let length = length?;
        let n = length.conversations?;
        let bound: &str = length.bound_by.map_or("nothing", Into::into);
        let formula = format!(
            "{} once + {n} × {} are held; one more runs into {bound}",
            length.shared_bytes.get(),
            length.bytes_each.get()
        );
        let once = format!("the first {} of {} tokens", length.shared_tokens, length.context);
        let parts = vec![
            Term::new("kept once", once, length.shared_bytes.get(), "bytes", shown.sharing),
            Term::new("each", "beside what is kept once", length.bytes_each.get(), "bytes", shown.sharing),
        ];
        let label = format!("held, {name} length");
        let mut term = Term::new(label, formula, n, "conversations", shown.sharing);
        if let (Some(replicas), Some(sessions)) = (length.replicas, shown.sessions) {
            let formula = format!("⌈{sessions} / {n}⌉");
            term = Term::new("copies of the placement", formula, replicas, "replicas", shown.sharing)
                .on(shown.basis)
                .made_of(vec![term.on(shown.basis).made_of(parts)]);
            return Some(term);
        }
        Some(term.on(shown.basis).made_of(parts))
    };
    named.into_iter().filter_map(of).collect()
}

impl ServingShown {
    /// The lengths asked for, the full one first, by name.
    pub fn lengths(&self) -> impl Iterator<Item = (&'static str, &LengthShown)> {
        [("full", Some(&self.full)), ("typical", self.typical.as_ref()), ("p95", self.p95.as_ref())]
            .into_iter()
            .filter_map(|(name, length)| length.map(|length| (name, length)))
    }
}
