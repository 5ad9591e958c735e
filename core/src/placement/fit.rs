//! Whether it fits: what each place has and how far that may be off, and the largest context, exact to the token.

use super::{Bill, Case, HOST};
use crate::engine::Engine;
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

    /// The name of a place.
    #[must_use]
    pub fn place_name(&self, place: usize) -> String {
        match self.machine.devices.get(place) {
            Some(slot) => slot.name.clone(),
            None if self.machine.is_given() || place > 0 => HOST.to_owned(),
            None => format!("rank:{place}"),
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
