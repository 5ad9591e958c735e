//! Whether it fits: spare and doubt of the tightest device, and the largest context, exact to the token.

use super::{Bill, Case, HOST};
use crate::engine::Engine;
use crate::error::{ErrorKind, PlanError};
use crate::unit::{Bytes, Overflow};
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

/// The tightest device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Usable minus planned, bytes; negative where it does not fit.
    pub spare: i64,
    /// Summed stated errors of what is not exact, bytes.
    pub doubt: Bytes,
    /// Its index; the devices' count for host memory.
    pub place: usize,
}

impl Verdict {
    /// The state these come to.
    #[must_use]
    pub fn state(&self) -> State {
        match u64::try_from(self.spare) {
            Err(_) => State::Over,
            Ok(spare) if spare < self.doubt.get() => State::Barely,
            Ok(_) => State::Fits,
        }
    }
}

/// Whether it fits, and how long a context would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The tightest device.
    pub verdict: Verdict,
    /// The longest context that is not over, and what bounds it; `None` where nothing bounds it.
    pub max_context: Option<(u64, BoundBy)>,
}

/// Contexts are not searched beyond this where the model states no limit.
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
                o.mem_fraction_static.map(|fraction| share(capacity, fraction))
            }
            Engine::TensorRtLlm(o) if o.free_memory_bytes.is_none() => {
                let of = |part: &[Bytes]| part.get(place).copied().unwrap_or_default();
                let others = of(&bill.weights).plus(of(&bill.compute))?;
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

    /// How far a place's figures may be off.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn doubt(&self, bill: &Bill, place: usize) -> Result<Bytes, Overflow> {
        let mut doubt = self.machine.devices.get(place).map_or(Bytes::ZERO, |slot| slot.doubt);
        if let Some(weights) = self.weights {
            let whole = weights.total()?.get();
            let here = bill.weights.get(place).copied().unwrap_or_default().get();
            if whole > 0 {
                let part = u128::from(weights.doubt.get()) * u128::from(here) / u128::from(whole);
                doubt = doubt.plus(Bytes::new(u64::try_from(part).map_err(|_| Overflow)?))?;
            }
        }
        Ok(doubt)
    }

    /// The tightest place of a bill; `None` where no memory was described.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn verdict(&self, bill: &Bill) -> Result<Option<Verdict>, Overflow> {
        let mut tightest: Option<Verdict> = None;
        if !self.machine.is_given() {
            return Ok(None);
        }
        for place in 0..=self.machine.devices.len() {
            let Some(usable) = self.usable(bill, place)? else { continue };
            let spare = usable.checked_sub(signed(bill.at(place)?.get())?).ok_or(Overflow)?;
            if tightest.as_ref().is_none_or(|t| spare < t.spare) {
                tightest = Some(Verdict { spare, doubt: self.doubt(bill, place)?, place });
            }
        }
        Ok(tightest)
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

    /// Whether sequences of this length are not over; why not, otherwise.
    fn holds(&self, tokens: u64) -> Result<Held, PlanError> {
        let case = self.with_context(tokens);
        let answer = case.reserve().and_then(|reservation| case.bill(&reservation));
        match answer {
            Ok(bill) => Ok(match case.verdict(&bill)? {
                Some(verdict) if verdict.spare < 0 => Held::No(BoundBy::Memory),
                Some(_) | None => Held::Yes,
            }),
            Err(error) => match error.kind {
                ErrorKind::EngineRefuses | ErrorKind::Invalid => Ok(Held::No(BoundBy::Engine)),
                ErrorKind::Overflow => Ok(Held::No(BoundBy::Memory)),
                ErrorKind::UnknownModel | ErrorKind::Unsupported | ErrorKind::MissingField => Err(error),
            },
        }
    }

    /// The longest context that is not over, to the token: that of 0 tokens where none is.
    ///
    /// # Errors
    /// What the engine cannot answer at any length.
    pub fn max_context(&self) -> Result<Option<(u64, BoundBy)>, PlanError> {
        let limit = self.limit.map(|tokens| tokens.get()).filter(|n| *n > 0);
        let cap = limit.unwrap_or(SEARCH_LIMIT);
        if self.holds(cap)? == Held::Yes {
            return Ok(limit.map(|limit| (limit, BoundBy::Model)));
        }
        // Doubling from below: what is held is held up to some length and no further.
        let (mut low, mut high) = (0u64, cap);
        let mut step = 1u64 << 12;
        while step < high {
            if self.holds(step)? == Held::Yes {
                low = step;
                step = step.saturating_mul(2);
            } else {
                high = step;
            }
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.holds(middle)? == Held::Yes {
                low = middle;
            } else {
                high = middle;
            }
        }
        match self.holds(low + 1)? {
            Held::No(bound) => Ok(Some((low, bound))),
            Held::Yes => Ok(None),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    No(BoundBy),
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
