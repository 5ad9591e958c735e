//! The form of the answer: a row a device, and the verdict.

use super::fit::{BoundBy, State, signed};
use super::{Bill, Case};
use crate::unit::{Bytes, Overflow};
use schemars::JsonSchema;
use serde::Serialize;

/// One device of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeviceShown {
    /// Its name; `CPU` for host memory, `rank:N` where no hardware was given.
    pub name: String,
    /// Memory that programs get; absent where it was not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_bytes: Option<Bytes>,
    /// Weights.
    pub weights_bytes: Bytes,
    /// Caches and states.
    pub kv_bytes: Bytes,
    /// Buffers for computing.
    pub compute_bytes: Bytes,
    /// A draft model, a projector, adapters.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub extras_bytes: Bytes,
    /// Held by other programs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_use_bytes: Bytes,
    /// The user's margin.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub keep_free_bytes: Bytes,
    /// What the engine leaves alone by its own rule (vLLM's utilization).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub withheld_bytes: Bytes,
    /// What is left; negative where it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub free_bytes: Option<i64>,
    /// Layers whose cache is here, where layers are split over devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<u64>,
}

fn is_zero<T: Default + PartialEq>(bytes: &T) -> bool {
    *bytes == T::default()
}

/// The verdict of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FitShown {
    /// Whether it fits.
    pub state: State,
    /// Usable minus planned on the tightest device; negative where it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spare_bytes: Option<i64>,
    /// Summed stated errors of what is not exact there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt_bytes: Option<Bytes>,
    /// The tightest device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The longest context that is not over; absent where nothing bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_context: Option<u64>,
    /// What a longer context runs into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound_by: Option<BoundBy>,
}

impl FitShown {
    /// No hardware was given.
    #[must_use]
    pub const fn unknown() -> Self {
        Self {
            state: State::Unknown,
            spare_bytes: None,
            doubt_bytes: None,
            device: None,
            max_context: None,
            bound_by: None,
        }
    }
}

impl Case<'_> {
    /// The rows of the answer: every device, and host memory where it was given or holds something.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn rows(&self, bill: &Bill) -> Result<Vec<DeviceShown>, Overflow> {
        let devices = bill.devices();
        let mut rows = Vec::with_capacity(devices + 1);
        for place in 0..=devices {
            let slot = match self.machine.devices.get(place) {
                None if place == devices => self.machine.host.as_ref(),
                found => found,
            };
            let total = bill.at(place)?;
            if place == devices && slot.is_none() && total == Bytes::ZERO {
                continue;
            }
            let of = |part: &[Bytes]| part.get(place).copied().unwrap_or_default();
            let usable = if slot.is_some() { self.usable(bill, place)? } else { None };
            let held = if place < devices { self.machine.reserve } else { crate::plan::Reserve::default() };
            let free = match usable {
                Some(usable) => Some(usable.checked_sub(signed(total.get())?).ok_or(Overflow)?),
                None => None,
            };
            let withheld = match (slot, usable) {
                (Some(slot), Some(usable)) => {
                    let open = signed(slot.capacity.get())?
                        .checked_sub(signed(held.in_use_bytes)?)
                        .and_then(|n| n.checked_sub(i64::try_from(held.keep_free_bytes).ok()?))
                        .ok_or(Overflow)?;
                    u64::try_from(open.saturating_sub(usable)).unwrap_or(0)
                }
                (Some(_) | None, _) => 0,
            };
            let given = slot.is_some();
            rows.push(DeviceShown {
                name: self.place_name(place),
                capacity_bytes: slot.map(|s| s.capacity),
                weights_bytes: of(&bill.weights),
                kv_bytes: of(&bill.kv),
                compute_bytes: of(&bill.compute),
                extras_bytes: bill.extras_at(place)?,
                in_use_bytes: Bytes::new(if given { held.in_use_bytes } else { 0 }),
                keep_free_bytes: Bytes::new(if given { held.keep_free_bytes } else { 0 }),
                withheld_bytes: Bytes::new(withheld),
                free_bytes: free,
                layers: bill.layers.as_ref().map(|layers| {
                    let here =
                        layers.iter().rev().skip(1).filter(|p| super::layers::index(**p, devices) == place);
                    u64::try_from(here.count()).unwrap_or(u64::MAX)
                }),
            });
        }
        Ok(rows)
    }
}
