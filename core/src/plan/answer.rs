//! The plan of the contract, composed from an engine's reservation.

use super::decimal::{Decimal, gcd};
use super::extras::ExtraShown;
use super::request::Request;
use super::serving::{Served, ServingShown};
use super::speed::SpeedShown;
use super::weights::WeightsShown;
use crate::cache::Role;
use crate::engine::{Carriers, Engine, Report, Reservation, Scenario, StoreLine, payload};
use crate::error::PlanError;
use crate::explain::{Basis, Rule, Term};
use crate::placement::{Bill, Case, ComputeLine, DeviceShown, FitShown, PoolShown};
use crate::spec::ModelSpec;
use crate::unit::{Bytes, Overflow, Tokens};
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Plan {
    /// The request's `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// The model as understood.
    pub model: ModelShown,
    /// The engine.
    pub engine: EngineShown,
    /// The cache.
    pub kv: Kv,
    /// The weights, where they are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsShown>,
    /// What lives beside the model, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extras: Vec<ExtraShown>,
    /// Buffers for computing on all devices; where hardware is given and the engine's are modelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compute: Option<ComputeShown>,
    /// The pool the engine will make of what is left, where it makes one and its size is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolShown>,
    /// What each device holds; where hardware or several ranks were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<DeviceShown>,
    /// Whether it fits.
    pub fit: FitShown,
    /// How many conversations are held; where a workload is given, or a pool's memory is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingShown>,
    /// How fast; where hardware with its bandwidth and weights are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<SpeedShown>,
    /// Why, when asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Vec<Term>>,
    /// What was assumed.
    pub assumptions: Vec<Cow<'static, str>>,
    /// Context per sequence, resolved; not part of the JSON.
    #[serde(skip)]
    pub context: Tokens,
    /// Sequences, resolved; not part of the JSON.
    #[serde(skip)]
    pub sequences: u64,
    /// The rules the lines cite, each once, in order; not part of the JSON.
    #[serde(skip)]
    pub rules: Vec<&'static Rule>,
}

/// The model as understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModelShown {
    /// Catalogue id; empty where the model is not catalogued.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its facts come from.
    pub source: String,
}

/// Buffers for computing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ComputeShown {
    /// All of them, logits handed out included.
    pub bytes: Bytes,
    /// How far that may be off.
    pub doubt_bytes: Bytes,
    /// How sure: as sure as the least sure of the lines.
    pub basis: Basis,
    /// What it is made of.
    pub lines: Vec<ComputeLine>,
}

impl ComputeShown {
    /// Of a bill; `None` where it is not modelled.
    pub(super) fn of(bill: &Bill) -> Result<Option<Self>, Overflow> {
        let Some(basis) = bill.compute_lines.iter().map(|line| line.basis).max() else { return Ok(None) };
        let total = |of: &[Bytes]| of.iter().copied().try_fold(Bytes::ZERO, Bytes::plus);
        let (bytes, doubt_bytes) = (total(&bill.compute)?, total(&bill.compute_doubt)?);
        Ok(Some(Self { bytes, doubt_bytes, basis, lines: bill.compute_lines.clone() }))
    }
}

/// The engine and the version whose rules were used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EngineShown {
    /// Name.
    pub name: &'static str,
    /// Version; empty for the ideal engine.
    pub version: &'static str,
}

/// The cache's figures.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Kv {
    /// What the tokens themselves need under the chosen codecs.
    pub payload_bytes: Bytes,
    /// What the engine reserves.
    pub allocated_bytes: Bytes,
    /// Reserved for these sequences beyond what they need.
    pub waste_bytes: Bytes,
    /// The unused part of a fixed pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pool_free_bytes: Option<Bytes>,
    /// Payload growth per token of one sequence at this context.
    pub bytes_per_token: Decimal,
    /// Allocated bytes by role; absent roles are omitted.
    pub by_role: ByRole,
    /// Line by line.
    pub stores: Vec<StoreShown>,
    /// The figures the engine prints.
    #[serde(skip_serializing_if = "Report::is_none")]
    pub engine_report: Report,
}

/// Allocated bytes per role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByRole([Option<Bytes>; Role::COUNT]);

impl ByRole {
    fn add(&mut self, role: Role, bytes: Bytes) -> Result<(), PlanError> {
        let slot = &mut self.0[role.index()];
        *slot = Some(slot.unwrap_or_default().plus(bytes)?);
        Ok(())
    }

    /// The bytes of a role that is present.
    #[must_use]
    pub const fn get(&self, role: Role) -> Option<Bytes> {
        self.0[role.index()]
    }

    /// The roles that are present, in listing order.
    pub fn iter(&self) -> impl Iterator<Item = (Role, Bytes)> {
        use strum::IntoEnumIterator as _;
        Role::iter().filter_map(|role| self.get(role).map(|bytes| (role, bytes)))
    }
}

impl Serialize for ByRole {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        for (role, bytes) in self.iter() {
            map.serialize_entry(role.name(), &bytes)?;
        }
        map.end()
    }
}

impl JsonSchema for ByRole {
    fn schema_name() -> Cow<'static, str> {
        "ByRole".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        use strum::IntoEnumIterator as _;
        let roles: serde_json::Map<String, Value> = Role::iter()
            .map(|role| (role.name().to_owned(), serde_json::json!({ "type": "integer", "minimum": 0 })))
            .collect();
        schemars::json_schema!({ "type": "object", "properties": roles, "additionalProperties": false })
    }
}

/// A line of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StoreShown {
    /// The cache, in the engine's words.
    pub cache: &'static str,
    /// What it holds.
    pub role: Role,
    /// Layers.
    pub layers: u64,
    /// Entries one sequence needs in one layer.
    pub entries: u64,
    /// The codec.
    pub codec: &'static str,
    /// What the tokens need.
    pub payload_bytes: Bytes,
    /// What the engine reserves.
    pub allocated_bytes: Bytes,
    /// Why.
    pub rule: &'static str,
    /// How sure.
    pub basis: Basis,
    /// Which of the model's layers these are; not part of the JSON.
    #[serde(skip)]
    pub carriers: Carriers,
}

impl Plan {
    pub(super) fn compose(
        model: &ModelSpec,
        engine: &Engine,
        scenario: &Scenario,
        mut reservation: Reservation,
        request: &Request,
    ) -> Result<Self, PlanError> {
        let mut payload = Bytes::ZERO;
        let mut reserved = reservation.overhead;
        let mut by_role = ByRole::default();
        let mut stores = Vec::with_capacity(reservation.lines.len());
        let mut rules: Vec<&'static Rule> = Vec::with_capacity(2);
        for line in &reservation.lines {
            payload = payload.plus(line.payload)?;
            reserved = reserved.plus(line.allocated)?;
            by_role.add(line.role, line.allocated)?;
            if !rules.iter().any(|known| known.id == line.rule.id) {
                rules.push(line.rule);
            }
            stores.push(StoreShown {
                cache: line.cache,
                role: line.role,
                layers: line.layers,
                entries: line.entries.get(),
                codec: line.codec.name(),
                payload_bytes: line.payload,
                allocated_bytes: line.allocated,
                rule: line.rule.id,
                basis: line.basis,
                carriers: line.carriers,
            });
        }
        let (allocated, free) = match reservation.pool {
            Some(pool) => (pool.total, Some(pool.free)),
            None => (reserved, None),
        };
        let used = allocated.minus(free.unwrap_or_default())?;
        let name = engine.name();
        let bytes_per_token = growth(&reservation, model, scenario)?;
        let explained = scenario.explain.then(|| explain(&mut reservation));
        let mut assumptions = reservation.assumptions;
        note_context(model, reservation.context, &mut assumptions);
        note_encoder(&reservation.lines, scenario, &mut assumptions);
        assumptions.extend(model.record().assumptions.iter().map(|a| Cow::Owned(a.clone())));
        Ok(Self {
            id: request.id.clone(),
            model: ModelShown {
                id: model.id().to_owned(),
                name: model.name().to_owned(),
                source: model.record().source.clone().unwrap_or_default(),
            },
            engine: EngineShown { name: name.as_str(), version: name.modelled_version().unwrap_or_default() },
            kv: Kv {
                payload_bytes: payload,
                allocated_bytes: allocated,
                // Never negative: an engine that keeps less than the tokens need (a window held one short) wastes nothing.
                waste_bytes: used.minus(payload).unwrap_or_default(),
                pool_free_bytes: free,
                bytes_per_token,
                by_role,
                stores,
                engine_report: reservation.report,
            },
            weights: None,
            extras: Vec::new(),
            compute: None,
            pool: None,
            devices: Vec::new(),
            fit: FitShown::unknown(),
            serving: None,
            speed: None,
            explain: explained,
            assumptions,
            context: reservation.context,
            sequences: reservation.sequences,
            rules,
        })
    }
}

impl Plan {
    /// Adds what lives beside the model, and why.
    pub(super) fn stand_beside(&mut self, case: &Case<'_>, bill: &Bill) -> Result<(), PlanError> {
        self.extras = ExtraShown::of(bill)?;
        for line in &bill.tenants {
            if !self.rules.iter().any(|known| known.id == line.rule.id) {
                self.rules.push(line.rule);
            }
            if let Some(terms) = &mut self.explain {
                terms.push(ExtraShown::term(case, line)?);
            }
        }
        Ok(())
    }

    /// Adds what is said about serving.
    pub(super) fn serve(&mut self, served: Served) {
        let shared = served.shown.sharing;
        if served.shown.asked_to_share && !self.rules.iter().any(|known| known.id == shared.id) {
            self.rules.push(shared);
        }
        if let Some(terms) = &mut self.explain {
            terms.extend(served.terms);
        }
        self.assumptions.extend(served.assumptions);
        self.serving = Some(served.shown);
    }
}

/// Payload growth per token of one sequence: the average over the next R tokens, R = lcm of strides and codec blocks.
fn growth(reservation: &Reservation, model: &ModelSpec, scenario: &Scenario) -> Result<Decimal, PlanError> {
    if let Some(growth) = reservation.growth {
        return Ok(Decimal::ratio(growth.bytes.get(), growth.tokens));
    }
    let codec_of = |role: Role| {
        let line = reservation.lines.iter().find(|l| l.role == role);
        line.map_or_else(|| payload::default_codec(role.knob()), |l| l.codec)
    };
    let mut period: u64 = 1;
    for (kind, _) in model.kept(scenario.mtp) {
        for store in kind.stores() {
            for step in [store.retention.stride(), codec_of(store.role).growth_period()] {
                period = (period / gcd(period, step)).checked_mul(step).ok_or(crate::unit::Overflow)?;
            }
        }
    }
    let later = reservation.context.plus(Tokens::new(period))?;
    let mut grown = 0u64;
    for (kind, layers) in model.kept(scenario.mtp) {
        for store in kind.stores().iter().filter(|s| s.role.is_payload()) {
            let codec = codec_of(store.role);
            let at = |n: Tokens| -> Result<u64, PlanError> {
                let entries = store.entries(n, scenario.encoder_tokens)?;
                Ok(payload::store_payload(store, codec, entries)?.times(layers)?.get())
            };
            let more = at(later)?.saturating_sub(at(reservation.context)?);
            grown = grown.checked_add(more).ok_or(crate::unit::Overflow)?;
        }
    }
    Ok(Decimal::ratio(grown, period))
}

fn note_context(model: &ModelSpec, context: Tokens, assumptions: &mut Vec<Cow<'static, str>>) {
    if let Some(trained) = model.trained_context()
        && context > trained
    {
        let (context, trained) = (context.get(), trained.get());
        assumptions.push(Cow::Owned(format!(
            "context {context} is above the trained length {trained}: computed as asked, the model may not use it well"
        )));
    }
}

fn note_encoder(lines: &[StoreLine], scenario: &Scenario, assumptions: &mut Vec<Cow<'static, str>>) {
    let cross = lines.iter().any(|l| matches!(l.role, Role::CrossK | Role::CrossV));
    if cross && scenario.encoder_tokens == Tokens::ZERO {
        assumptions
            .push(Cow::Borrowed("no encoder tokens: the cross-attention cache is empty; set encoder_tokens"));
    }
}

/// One term a line, the engine's own steps first.
fn explain(reservation: &mut Reservation) -> Vec<Term> {
    let mut terms = std::mem::take(&mut reservation.terms);
    terms.extend(reservation.line_terms());
    terms
}

impl Reservation {
    /// One term a line: what it reserves, and what its tokens need.
    pub(crate) fn line_terms(&self) -> Vec<Term> {
        let term = |line: &StoreLine| {
            let StoreLine { layers, heads, dim, entries, sequences, .. } = line;
            let formula = format!(
                "layers {layers} × sequences {sequences} × entries {entries} × elements {heads} × {dim} as {codec}",
                entries = entries.get(),
                codec = line.codec.name()
            );
            let label = format!("{} {}", line.cache, line.role.name());
            let needed = Term::new("needed", formula, line.payload.get(), "bytes", &payload::ENTRIES);
            let reserved = format!("{} ({})", line.rule.says, line.rule.id);
            Term::new(label, reserved, line.allocated.get(), "bytes", line.rule)
                .on(line.basis)
                .made_of(vec![needed])
        };
        self.lines.iter().map(term).collect()
    }
}
