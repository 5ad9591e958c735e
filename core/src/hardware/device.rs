//! A device as a plan uses it.

use super::file::{Class, Flops, HardwareFile, SpeedClass};
use crate::error::PlanError;
use crate::explain::Basis;
use crate::unit::Bytes;
use serde::Serialize;

/// A catalogued device, or one described in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    record: HardwareFile,
    custom: bool,
}

/// How much of a device's memory programs get, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Usable {
    /// Bytes.
    pub bytes: Bytes,
    /// [`Basis::Exact`] where a driver reported it, [`Basis::Assumed`] by the rule.
    pub basis: Basis,
    /// Why, in a sentence.
    pub rule: &'static str,
}

const REPORTED: &str = "as the driver reports it";
const STATED: &str = "as given";
const CUSTOM_DATE: &str = "";

impl Device {
    /// A device that is not catalogued: its name, its memory, and its bandwidth if speed is wanted.
    ///
    /// # Errors
    /// `invalid` for an empty name or for no bytes of memory.
    pub fn custom(name: &str, memory: Bytes, bandwidth_bytes_per_s: Option<u64>) -> Result<Self, PlanError> {
        if name.trim().is_empty() {
            return Err(PlanError::invalid("device", "a device needs a name").with_value(name));
        }
        if memory == Bytes::ZERO {
            return Err(PlanError::invalid("memory_bytes", "a device needs memory").with_value(0));
        }
        if bandwidth_bytes_per_s == Some(0) {
            let message = "a bandwidth is above zero; leave it out and no speed is estimated";
            return Err(PlanError::invalid("bandwidth_bytes_per_s", message).with_value(0));
        }
        let record = HardwareFile {
            id: name.to_owned(),
            name: name.to_owned(),
            aliases: Vec::new(),
            vendor: "given".to_owned(),
            class: Class::Accelerator,
            speed_class: None,
            memory_bytes: Some(memory.get()),
            usable_bytes: Some(memory.get()),
            unified: false,
            bandwidth_bytes_per_s,
            host_link_bytes_per_s: None,
            flops: Flops::default(),
            source: "the request".to_owned(),
            date: CUSTOM_DATE.to_owned(),
            notes: None,
        };
        Ok(Self { record, custom: true })
    }

    /// The record this device was built from.
    #[must_use]
    pub const fn record(&self) -> &HardwareFile {
        &self.record
    }

    /// Catalogue id, or the name given in the request.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.record.id
    }

    /// Whether the request described it.
    #[must_use]
    pub const fn is_custom(&self) -> bool {
        self.custom
    }

    /// Display name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// What it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.record.class
    }

    /// The group its measured efficiency is shared with.
    #[must_use]
    pub const fn speed_class(&self) -> Option<SpeedClass> {
        self.record.speed_class
    }

    /// Memory fitted; `None` for host memory of unstated size, disks and links.
    #[must_use]
    pub fn memory(&self) -> Option<Bytes> {
        self.record.memory_bytes.map(Bytes::new)
    }

    /// Whether processor and GPU share the memory.
    #[must_use]
    pub const fn unified(&self) -> bool {
        self.record.unified
    }

    /// Peak bandwidth, bytes per second.
    #[must_use]
    pub const fn bandwidth(&self) -> Option<u64> {
        self.record.bandwidth_bytes_per_s
    }

    /// Memory that programs get: reported by a driver, or assumed by a rule that says so.
    #[must_use]
    pub fn usable(&self) -> Option<Usable> {
        if let Some(bytes) = self.record.usable_bytes {
            let (basis, rule) = if self.custom { (Basis::Assumed, STATED) } else { (Basis::Exact, REPORTED) };
            return Some(Usable { bytes: Bytes::new(bytes), basis, rule });
        }
        let memory = self.record.memory_bytes?;
        let (numerator, denominator, rule) = self.assumed_share();
        let bytes = u128::from(memory) * numerator / denominator;
        Some(Usable {
            bytes: Bytes::new(u64::try_from(bytes).unwrap_or(memory)),
            basis: Basis::Assumed,
            rule,
        })
    }

    /// The share of fitted memory assumed usable where no driver's report was found.
    fn assumed_share(&self) -> (u128, u128, &'static str) {
        match self.record.class {
            Class::UnifiedSoc if self.record.vendor == "Apple" => {
                if self.record.memory_bytes <= Some(APPLE_SMALL) {
                    (
                        2,
                        3,
                        "macOS lets the GPU use 2/3 of up to 32 GiB (llama.cpp logs; macOS 26 allows more)",
                    )
                } else {
                    (3, 4, "macOS lets the GPU use 3/4 above 32 GiB (llama.cpp logs; macOS 26 allows more)")
                }
            }
            Class::UnifiedSoc => (3, 4, "unified memory: a quarter is left to the system"),
            Class::MobileNpu => (1, 2, "phone memory: half is left to the system"),
            Class::DatacenterGpu if self.record.speed_class == Some(SpeedClass::NvidiaGddr) => {
                (15, 16, "GDDR with ECC on keeps 1/16 for check bits, as the L40S, L4, A10 and T4 report")
            }
            Class::ConsumerGpu | Class::WorkstationGpu | Class::DatacenterGpu => {
                (199, 200, "the driver keeps about 0.5 %, as on the RTX 5090 and RTX PRO 6000")
            }
            Class::Accelerator | Class::HostMemory | Class::Disk | Class::Link => {
                (1, 1, "all of it: no report was found")
            }
        }
    }
}

/// Up to here macOS's default share is 2/3, beyond it 3/4.
const APPLE_SMALL: u64 = 32 << 30;

impl From<HardwareFile> for Device {
    fn from(record: HardwareFile) -> Self {
        Self { record, custom: false }
    }
}
