//! What the page opens on: states anyone could link to, and machines to pick from.

use kvplan_core::plan::HardwareEntry;
pub use kvplan_core::planner::preset::{PRESETS, Preset};
use kvplan_core::planner::{State, link};

/// The state of the first visit.
#[must_use]
pub fn state() -> State {
    let opened = PRESETS.first().and_then(|preset| link::read(preset.line).ok());
    opened.map_or_else(|| State::of_model("qwen3.6-27b"), |opened| opened.state)
}

/// A machine with a short name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Its name on a chip.
    pub name: &'static str,
    /// The device.
    pub device: &'static str,
    /// How many.
    pub count: u64,
}

/// From a desk to a rack.
pub const MACHINES: [Machine; 5] = [
    Machine { name: "4090", device: "rtx-4090", count: 1 },
    Machine { name: "5090", device: "rtx-5090", count: 1 },
    Machine { name: "Mac 64", device: "m4-max-64gb", count: 1 },
    Machine { name: "8×H200", device: "h200-sxm-141gb", count: 8 },
    Machine { name: "8×B200", device: "b200-sxm-180gb", count: 8 },
];

/// Host memory in a request.
pub const HOST: &str = "CPU";

/// One entry.
#[must_use]
pub fn device(device: &str, count: u64) -> HardwareEntry {
    HardwareEntry { device: device.to_owned(), count, memory_bytes: None, bandwidth_bytes_per_s: None }
}

/// Whether an entry is host memory.
#[must_use]
pub fn is_host(entry: &HardwareEntry) -> bool {
    entry.device == HOST
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvplan_core::hardware::catalog;
    use kvplan_core::planner::Planner;

    #[test]
    fn the_first_visit_opens_on_a_plan_that_fits() {
        let plan = Planner::new(state()).plan().unwrap();
        assert!(plan.fit.spare_bytes.unwrap() > 0, "{:?}", plan.fit);
    }

    #[test]
    fn every_machine_is_catalogued() {
        for machine in MACHINES {
            catalog::find(machine.device).unwrap();
        }
    }
}
