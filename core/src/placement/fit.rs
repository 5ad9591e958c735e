//! Whether it fits: what each place has and how far that may be off, and the largest context, exact to the token.

use super::search::{Held, last_held};
use super::{Bill, Case, HOST, Verdict};
use crate::engine::{Engine, Reservation, llama_cpp};
use crate::error::{ErrorKind, PlanError};
use crate::unit::{Bytes, Overflow, Tokens};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a plan fits its machine.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum State {
    /// It fits, and what is estimated does not change that.
    Fits,
    /// It fits, by less than what is estimated may be off.
    Barely,
    /// It does not fit.
    Over,
    /// No hardware was given.
    Unknown,
}

/// What a longer context runs into first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum BoundBy {
    /// The machine's memory.
    Memory,
    /// The model's own longest length.
    Model,
    /// The engine refuses more.
    Engine,
}

/// Contexts are not searched beyond this where the model states no limit, nor sequences.
const SEARCH_LIMIT: u64 = 1 << 40;

impl Case<'_> {
    /// What a place has for this plan: its memory without others' and the user's margin, and no more than the engine
    /// takes. `None` for host memory of unstated size.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn usable(&self, bill: &Bill, place: usize) -> Result<Option<i64>, Overflow> {
        let Some(slot) = self.machine.devices.get(place) else {
            return self.machine.host.as_ref().map(|host| signed(host.capacity.get())).transpose();
        };
        let capacity = slot.capacity;
        let open = signed(capacity.get())?.checked_sub(signed(self.machine.held_back())?).ok_or(Overflow)?;
        let engine = match &self.engine {
            Engine::Vllm(o) if o.kv_cache_memory_bytes.is_none() && o.num_gpu_blocks_override.is_none() => {
                Some(share(capacity, o.gpu_memory_utilization))
            }
            Engine::Sglang(o) if o.kv_memory_bytes.is_none() => {
                let fraction = o.mem_fraction_static.unwrap_or_else(|| self.static_fraction(capacity));
                Some(share(capacity, fraction))
            }
            Engine::TensorRtLlm(o) if o.free_memory_bytes.is_none() => {
                let of = |part: &[Bytes]| part.get(place).copied().unwrap_or_default();
                let others = of(&bill.weights).plus(of(&bill.compute))?.plus(bill.extras_at(place)?)?;
                let free = capacity.minus(others).unwrap_or_default();
                Some(share(free, o.free_gpu_memory_fraction).plus(others)?)
            }
            Engine::Payload
            | Engine::LlamaCpp(_)
            | Engine::Vllm(_)
            | Engine::Transformers(_)
            | Engine::Mlx(_)
            | Engine::ExllamaV3(_)
            | Engine::Sglang(_)
            | Engine::TensorRtLlm(_) => None,
        };
        Ok(Some(match engine {
            Some(most) => open.min(signed(most.get())?),
            None => open,
        }))
    }

    /// `mem_fraction_static` where it is not given: what is left beside 512 MiB, 1.5 MiB a token of a prefill chunk, 2 MiB a
    /// captured sequence and 128 MiB a rank; at least 10 GiB are left out of a GPU over 60 GiB (SGLang 0.5.23
    /// `arg_groups/memory_hook.py`; chunks and captured sizes by memory were not held against a run).
    fn static_fraction(&self, capacity: Bytes) -> f64 {
        let mib = capacity.get() >> 20;
        let gib = mib >> 10;
        let (chunk, captured) = match gib {
            0..20 => (2048, 8),
            20..35 => (2048, 24),
            35..60 => (4096, 32),
            60..160 => (8192, 256),
            160.. => (16_384, 512),
        };
        let ranks = self.ranks.tp.saturating_mul(self.ranks.pp);
        let left = 512 + chunk * 3 / 2 + captured * 2 + ranks.saturating_mul(128);
        let left = if gib > 60 { left.max(10_240) } else { left };
        let thousandths = u32::try_from(mib.saturating_sub(left) * 1000 / mib.max(1)).unwrap_or(0);
        f64::from(thousandths) / 1000.0
    }

    /// How far a place's figures may be off.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn doubt(&self, bill: &Bill, place: usize) -> Result<Bytes, Overflow> {
        let mut doubt = self.machine.devices.get(place).map_or(Bytes::ZERO, |slot| slot.doubt);
        doubt = doubt.plus(self.weights_doubt(bill, place)?)?;
        for line in &bill.tenants {
            doubt = doubt.plus(line.doubt.get(place).copied().unwrap_or_default())?;
        }
        if let (Engine::Sglang(o), Some(slot)) = (&self.engine, self.machine.devices.get(place))
            && o.kv_memory_bytes.is_none()
            && o.mem_fraction_static.is_none()
        {
            // Its default depends on graphs and backends that are not asked about.
            doubt = doubt.plus(Bytes::new(slot.capacity.get() / 50))?;
        }
        doubt.plus(bill.compute_doubt.get(place).copied().unwrap_or_default())
    }

    /// How far the model's weights of a place may be off: its part of what the whole may be.
    pub(super) fn weights_doubt(&self, bill: &Bill, place: usize) -> Result<Bytes, Overflow> {
        let Some(weights) = self.weights else { return Ok(Bytes::ZERO) };
        let whole = weights.total()?.get();
        let here = bill.weights.get(place).copied().unwrap_or_default().get();
        let part = u128::from(weights.doubt.get()) * u128::from(here);
        let part = part.checked_div(u128::from(whole)).unwrap_or(0);
        Ok(Bytes::new(u64::try_from(part).map_err(|_| Overflow)?))
    }

    /// Usable minus planned bytes of one place; `None` for host memory of unstated size.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub(crate) fn spare_at(&self, bill: &Bill, place: usize) -> Result<Option<i64>, Overflow> {
        let Some(usable) = self.usable(bill, place)? else { return Ok(None) };
        usable.checked_sub(signed(bill.at(place)?.get())?).map(Some).ok_or(Overflow)
    }

    /// What the tightest rank leaves for its cache, whatever it holds of it; `None` where no memory was described.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub(crate) fn left_for_cache(&self, bill: &Bill) -> Result<Option<Bytes>, Overflow> {
        let mut least: Option<u64> = None;
        for (place, kv) in bill.kv.iter().enumerate().filter(|(_, kv)| **kv > Bytes::ZERO) {
            let Some(spare) = self.spare_at(bill, place)? else { continue };
            let left = spare.checked_add(signed(kv.get())?).ok_or(Overflow)?;
            let left = u64::try_from(left).unwrap_or(0);
            least = Some(least.map_or(left, |least| least.min(left)));
        }
        Ok(least.map(Bytes::new))
    }

    /// The name of a place.
    #[must_use]
    pub fn place_name(&self, place: usize) -> String {
        match self.machine.devices.get(place) {
            Some(slot) => slot.name.clone(),
            None if self.machine.is_given() || place > 0 => HOST.to_owned(),
            None => format!("rank:{place}"),
        }
    }

    /// How this question fares on its machine.
    ///
    /// # Errors
    /// What the engine cannot answer: an unknown model, what is not modelled, what is missing.
    pub fn trial(&self) -> Result<Trial, PlanError> {
        self.trial_of(Tokens::ZERO)
    }

    /// The same; sequences that the engine's own options cut short of the scenario's context are not what was asked for.
    pub(crate) fn trial_at_length(&self) -> Result<Trial, PlanError> {
        self.trial_of(self.scenario.context.unwrap_or_default())
    }

    fn trial_of(&self, least: Tokens) -> Result<Trial, PlanError> {
        let answer = self.reserve().and_then(|reservation| Ok((self.bill(&reservation)?, reservation)));
        match answer {
            Ok((_, reservation)) if reservation.context < least => {
                Ok(Trial::Short { holds: 0, by: BoundBy::Engine })
            }
            // What is past all memory is past this one's.
            Ok((bill, reservation)) => self.judge(&reservation, &bill).or_else(Trial::of),
            Err(error) => Trial::of(error),
        }
    }

    /// How a reservation, placed as `bill` says, fares on the machine.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn judge(&self, reservation: &Reservation, bill: &Bill) -> Result<Trial, PlanError> {
        let verdict = self.verdict(bill)?;
        let wanted = self.scenario.sequences.unwrap_or(1);
        let room = reservation.room;
        Ok(match verdict {
            Some(verdict) if verdict.spare < 0 => Trial::Over(verdict),
            _ if room.pool.is_some_and(|holds| holds < wanted) => {
                Trial::Short { holds: room.pool.unwrap_or(0), by: BoundBy::Memory }
            }
            _ if reservation.sequences < wanted => {
                Trial::Short { holds: reservation.sequences, by: BoundBy::Engine }
            }
            _ if room.slots.is_some_and(|slots| slots < wanted) => {
                Trial::Short { holds: room.slots.unwrap_or(0), by: BoundBy::Engine }
            }
            verdict => Trial::Held(verdict),
        })
    }

    /// The grid that footprints of this engine's sequences usually lie on: tokens of a page or a step of cells.
    fn grid(&self) -> u64 {
        match &self.engine {
            Engine::Payload | Engine::Transformers(_) => 1,
            Engine::LlamaCpp(_) | Engine::Mlx(_) | Engine::ExllamaV3(_) => 256,
            Engine::Vllm(options) => options.block_size.unwrap_or(16),
            Engine::Sglang(options) => options.page_size.unwrap_or(1),
            Engine::TensorRtLlm(options) => options.tokens_per_block,
        }
    }

    /// The longest context that is not over, to the token: that of 0 tokens where none is. A pool of fixed size has to
    /// hold all sequences at that length.
    ///
    /// # Errors
    /// What the engine cannot answer at any length.
    pub fn max_context(&self) -> Result<Option<(u64, BoundBy)>, PlanError> {
        self.longest(false)
    }

    /// The longest context that fits whatever the stated errors are; `None` where nothing bounds it.
    ///
    /// # Errors
    /// As [`Case::max_context`].
    pub fn safe_context(&self) -> Result<Option<u64>, PlanError> {
        Ok(self.longest(true)?.map(|(tokens, _)| tokens))
    }

    fn longest(&self, surely: bool) -> Result<Option<(u64, BoundBy)>, PlanError> {
        let limit = self.limit.map(|tokens| tokens.get()).filter(|n| *n > 0);
        let cap = limit.unwrap_or(SEARCH_LIMIT);
        let last = last_held(0, cap, self.grid(), |tokens| {
            // That the engine runs fewer sequences at once is no matter of their length.
            let trial = self.with_context(tokens).trial()?;
            let runs_fewer = matches!(trial, Trial::Short { by: BoundBy::Engine | BoundBy::Model, .. });
            Ok(if runs_fewer { Held::Yes(None) } else { trial.held(surely) })
        })?;
        Ok(match last.stopped_by {
            Some(bound) => Some((last.number, bound)),
            None => limit.map(|limit| (limit, BoundBy::Model)),
        })
    }

    /// The same question about sequences of the length that one alone would have; `None` where the engine does not even
    /// start with one.
    ///
    /// # Errors
    /// What the engine cannot answer.
    pub fn of_own_length(&self) -> Result<Option<Self>, PlanError> {
        match self.with_sequences(1).reserve() {
            Ok(one) => {
                let mut other = self.clone();
                other.scenario.context = Some(one.context);
                Ok(Some(other))
            }
            Err(error) => Trial::of(error).map(|_| None),
        }
    }

    /// The most sequences of the scenario's length that are resident at once, and what one more runs into; `None` where
    /// nothing bounds them.
    ///
    /// # Errors
    /// What the engine cannot answer for any number of sequences.
    pub fn max_sequences(&self) -> Result<Option<(u64, BoundBy)>, PlanError> {
        self.most(false)
    }

    /// The most sequences that fit whatever the stated errors are; `None` where nothing bounds them.
    ///
    /// # Errors
    /// As [`Case::max_sequences`].
    pub fn safe_sequences(&self) -> Result<Option<u64>, PlanError> {
        Ok(self.most(true)?.map(|(sequences, _)| sequences))
    }

    /// A pool of fixed size takes the same memory for any number of sequences, and says itself how many it holds.
    fn dealt_from_pool(&self, surely: bool) -> Result<Option<(u64, BoundBy)>, PlanError> {
        let one = self.with_sequences(1);
        let (Held::Yes(_), Ok(reservation)) = (one.trial_at_length()?.held(surely), one.reserve()) else {
            return Ok(None);
        };
        let Some(pool) = reservation.room.pool else { return Ok(None) };
        let slots = reservation.room.slots.unwrap_or(u64::MAX);
        let replicas = if matches!(self.engine, Engine::Payload) { 1 } else { self.ranks.dp };
        let bound = if pool <= slots { BoundBy::Memory } else { BoundBy::Engine };
        Ok(Some((pool.min(slots).saturating_mul(replicas), bound)))
    }

    fn most(&self, surely: bool) -> Result<Option<(u64, BoundBy)>, PlanError> {
        let ask = |n: u64| Ok::<_, PlanError>(self.with_sequences(n).trial_at_length()?.held(surely));
        if let Engine::LlamaCpp(_) = &self.engine {
            // It aborts on some numbers between others that it takes: all are tried, from its own limit down.
            let mut why = BoundBy::Engine;
            for n in (1..=llama_cpp::MAX_SEQUENCES).rev() {
                match ask(n)? {
                    Held::Yes(_) => return Ok(Some((n, why))),
                    Held::No(bound, _) => why = bound,
                }
            }
            return Ok(Some((0, why)));
        }
        if let Some(found) = self.dealt_from_pool(surely)? {
            return Ok(Some(found));
        }
        let last = last_held(0, SEARCH_LIMIT, 1, ask)?;
        Ok(last.stopped_by.map(|bound| (last.number, bound)))
    }
}

/// How a question fares on its machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Trial {
    /// All of it is held; with the tightest device, where memory was described.
    Held(Option<Verdict>),
    /// Memory does not hold it.
    Over(Verdict),
    /// Fewer sequences than were asked for would be resident.
    Short {
        /// How many.
        holds: u64,
        /// Whether a pool of fixed size or the engine's own limit says so.
        by: BoundBy,
    },
    /// The engine does not start with it.
    Refused(PlanError),
}

impl Trial {
    /// An answer that is none: the engine's refusal, or an error of the question.
    fn of(error: PlanError) -> Result<Self, PlanError> {
        match error.kind {
            ErrorKind::EngineRefuses | ErrorKind::Invalid | ErrorKind::Overflow => Ok(Self::Refused(error)),
            ErrorKind::UnknownModel | ErrorKind::Unsupported | ErrorKind::MissingField => Err(error),
        }
    }

    /// Whether all of it is held.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        match self {
            Self::Held(_) => true,
            Self::Over(_) | Self::Short { .. } | Self::Refused(_) => false,
        }
    }

    /// What it runs into, where it is not held.
    #[must_use]
    pub fn bound(&self) -> BoundBy {
        match self {
            Self::Held(_) | Self::Over(_) => BoundBy::Memory,
            Self::Short { by, .. } => *by,
            Self::Refused(error) if error.kind == ErrorKind::Overflow => BoundBy::Memory,
            Self::Refused(_) => BoundBy::Engine,
        }
    }

    /// The same for a search; `surely`: what may be off counts as over.
    fn held(&self, surely: bool) -> Held {
        match self {
            Self::Held(verdict) => {
                let Some(verdict) = verdict else { return Held::Yes(None) };
                let doubt = if surely { i64::try_from(verdict.doubt.get()).unwrap_or(i64::MAX) } else { 0 };
                let spare = verdict.spare.saturating_sub(doubt);
                if spare < 0 { Held::No(BoundBy::Memory, Some(spare)) } else { Held::Yes(Some(spare)) }
            }
            Self::Over(verdict) => Held::No(BoundBy::Memory, Some(verdict.spare)),
            Self::Short { .. } | Self::Refused(_) => Held::No(self.bound(), None),
        }
    }
}

/// A byte count that may be subtracted from.
pub(super) fn signed(bytes: u64) -> Result<i64, Overflow> {
    i64::try_from(bytes).map_err(|_| Overflow)
}

/// A fraction of a memory, as the engines compute it: in double precision, cut to whole bytes.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "engines multiply a memory's bytes by their fraction as doubles; the product of positive numbers saturates"
)]
fn share(bytes: Bytes, fraction: f64) -> Bytes {
    Bytes::new((bytes.get() as f64 * fraction) as u64)
}
