//! The devices of a request, one by one, under the names the answer uses.

use crate::error::PlanError;
use crate::explain::Basis;
use crate::hardware::{Class, Device, catalog};
use crate::plan::{HardwareEntry, Reserve};
use crate::unit::{Bytes, Overflow};

/// More devices than any installation has by a factor of ten.
const MAX_DEVICES: usize = 65_536;

/// What host memory is called.
pub const HOST: &str = "CPU";

/// One device of the machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// Its name: the catalogue's id or the request's own, numbered where there are several.
    pub name: String,
    /// What it is.
    pub device: Device,
    /// Memory that programs get.
    pub capacity: Bytes,
    /// How far `capacity` may be off, where it was assumed.
    pub doubt: Bytes,
}

/// The devices of a request: those that compute in order, and host memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    /// GPUs and their like.
    pub devices: Vec<Slot>,
    /// Host memory, where its size was given.
    pub host: Option<Slot>,
    /// Taken on every device by others, and kept free on it.
    pub reserve: Reserve,
}

impl Machine {
    /// The machine of a request.
    ///
    /// # Errors
    /// `invalid` for an unknown device, one without memory, none at all of it, or too many.
    pub fn of(hardware: &[HardwareEntry], reserve: Reserve) -> Result<Self, PlanError> {
        let mut machine = Self { devices: Vec::new(), host: None, reserve };
        let mut found: Vec<(Device, usize, bool)> = Vec::with_capacity(hardware.len());
        for (i, entry) in hardware.iter().enumerate() {
            let within = |e: PlanError| e.within(&format!("hardware[{i}]"));
            let count = usize::try_from(entry.count)
                .ok()
                .filter(|c| (1..=MAX_DEVICES).contains(c))
                .ok_or_else(|| {
                    let message = format!("between 1 and {MAX_DEVICES} devices");
                    within(PlanError::invalid("count", message).with_value(entry.count))
                })?;
            let (device, host) = entry.device().map_err(within)?;
            if device.memory().is_none() {
                let message = match device.class() {
                    Class::HostMemory => "how much host memory is there? `memory_bytes` is needed",
                    Class::Disk | Class::Link => "a disk or link holds no part of a plan",
                    Class::ConsumerGpu
                    | Class::WorkstationGpu
                    | Class::DatacenterGpu
                    | Class::UnifiedSoc
                    | Class::Accelerator
                    | Class::MobileNpu => "this device's memory is not known; give `memory_bytes`",
                };
                return Err(within(PlanError::missing("memory_bytes", message)));
            }
            found.push((device, count, host));
        }
        for (device, count, host) in &found {
            let slot = |name: String| -> Result<Slot, PlanError> {
                let usable = device.usable().ok_or(Overflow)?;
                let doubt = match usable.basis {
                    // What the driver keeps was measured on two cards; a card that was not may keep twice that.
                    Basis::Assumed if !device.is_custom() && device.class() != Class::HostMemory => {
                        Bytes::new(device.memory().unwrap_or_default().get() / 200)
                    }
                    Basis::Exact | Basis::Derived | Basis::Measured | Basis::Assumed => Bytes::ZERO,
                };
                Ok(Slot { name, device: device.clone(), capacity: usable.bytes, doubt })
            };
            if *host {
                let slot = slot(HOST.to_owned())?;
                if machine.host.replace(slot).is_some() || *count > 1 {
                    return Err(PlanError::invalid("hardware", "host memory is given once, whole"));
                }
                continue;
            }
            let alike: usize =
                found.iter().filter(|(d, _, h)| !h && d.id() == device.id()).map(|(_, n, _)| n).sum();
            let before = machine.devices.iter().filter(|s: &&Slot| s.device.id() == device.id()).count();
            if machine.devices.len().saturating_add(*count) > MAX_DEVICES {
                return Err(PlanError::invalid("hardware", format!("more than {MAX_DEVICES} devices")));
            }
            for n in before..before + count {
                let id = device.id();
                machine.devices.push(slot(if alike > 1 { format!("{id}:{n}") } else { id.to_owned() })?);
            }
        }
        Ok(machine)
    }

    /// Whether any memory was described.
    #[must_use]
    pub const fn is_given(&self) -> bool {
        !self.devices.is_empty() || self.host.is_some()
    }

    /// What others and the user's margin leave of a device.
    #[must_use]
    pub fn held_back(&self) -> u64 {
        self.reserve.in_use_bytes.saturating_add(self.reserve.keep_free_bytes)
    }
}

impl HardwareEntry {
    /// The device, and whether it is host memory.
    fn device(&self) -> Result<(Device, bool), PlanError> {
        let known = catalog::find(&self.device);
        let host = self.device.trim().eq_ignore_ascii_case(HOST);
        match (known, self.memory_bytes) {
            (Ok(device), None) => {
                if self.bandwidth_bytes_per_s.is_some() {
                    let message =
                        "a catalogued device has its own bandwidth; describe another by memory_bytes too";
                    return Err(PlanError::invalid("bandwidth_bytes_per_s", message));
                }
                Ok((device.clone(), device.class() == Class::HostMemory))
            }
            // Host memory is catalogued by its speed; its size is the machine's.
            (Ok(device), Some(memory)) if device.class() == Class::HostMemory => {
                let rate = self.bandwidth_bytes_per_s.or_else(|| device.bandwidth());
                Device::custom(device.id(), Bytes::new(memory), rate).map(|it| (it, true))
            }
            (_, Some(memory)) => Device::custom(&self.device, Bytes::new(memory), self.bandwidth_bytes_per_s)
                .map(|it| (it, host)),
            (Err(_), None) if host => {
                Err(PlanError::missing("memory_bytes", "how much host memory is there?"))
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(json: &str) -> Result<Machine, PlanError> {
        let hardware: Vec<HardwareEntry> = serde_json::from_str(json).unwrap();
        Machine::of(&hardware, Reserve::default())
    }

    fn names(machine: &Machine) -> Vec<&str> {
        machine.devices.iter().map(|s| s.name.as_str()).collect()
    }

    #[test]
    fn several_of_a_device_are_numbered_and_a_single_one_keeps_its_name() {
        let one = machine(r#"[{"device": "RTX 5090"}]"#).unwrap();
        assert_eq!(names(&one), ["rtx-5090"]);
        assert_eq!(one.devices[0].capacity, Bytes::new(32_607 << 20));
        let two = machine(r#"[{"device": "rtx-5090", "count": 2}, {"device": "bench", "memory_bytes": 9}]"#);
        assert_eq!(names(&two.unwrap()), ["rtx-5090:0", "rtx-5090:1", "bench"]);
        let apart = machine(r#"[{"device": "rtx-5090"}, {"device": "rtx-3090"}, {"device": "rtx-5090"}]"#);
        assert_eq!(names(&apart.unwrap()), ["rtx-5090:0", "rtx-3090", "rtx-5090:1"]);
    }

    #[test]
    fn host_memory_is_called_cpu_and_needs_its_size() {
        let host = machine(r#"[{"device": "cpu", "memory_bytes": 64}]"#).unwrap().host.unwrap();
        assert_eq!((host.name.as_str(), host.capacity), ("CPU", Bytes::new(64)));
        let host = machine(r#"[{"device": "ddr5-5600-x2", "memory_bytes": 64}]"#).unwrap().host.unwrap();
        assert_eq!(host.device.bandwidth(), Some(89_600_000_000));
        for bad in [r#"[{"device": "cpu"}]"#, r#"[{"device": "ddr5-5600-x2"}]"#] {
            assert_eq!(machine(bad).unwrap_err().field, "hardware[0].memory_bytes");
        }
    }

    #[test]
    fn an_unknown_device_no_device_at_all_and_a_disk_are_refused_where_they_stand() {
        assert_eq!(
            machine(r#"[{"device": "rtx-5090"}, {"device": "zx81"}]"#).unwrap_err().field,
            "hardware[1].device"
        );
        assert_eq!(
            machine(r#"[{"device": "rtx-5090", "count": 0}]"#).unwrap_err().field,
            "hardware[0].count"
        );
        assert!(machine(r#"[{"device": "nvme-pcie4-x4"}]"#).is_err());
    }
}
