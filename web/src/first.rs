//! What the page opens on: states anyone could link to, and machines to pick from.

use kvplan_core::plan::HardwareEntry;
use kvplan_core::planner::{State, link};

/// A state that is offered by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Whom it is for.
    pub name: &'static str,
    /// The state, as a link writes it.
    pub line: &'static str,
}

/// A popular hybrid on a popular card, engines that serve many at once, and codecs at equal bytes.
pub const PRESETS: [Preset; 3] = [
    Preset {
        name: "Local PC",
        line: "v=1&model=qwen3.6-27b&context=131072&engine.name=llama.cpp&sequences=1&hardware.0.device=rtx-5090\
               &hardware.1.device=CPU&hardware.1.memory_bytes=68719476736&weights.format=Q4_K_M",
    },
    Preset {
        name: "Serving",
        line: "v=1&model=deepseek-v3.2&context=131072&engine.name=vllm&sequences=4&cache.kv=fp8_e4m3\
               &hardware.0.device=h200-sxm-141gb&hardware.0.count=8&placement.tp=8&weights.format=fp8\
               &workload.typical_context=32768&workload.shared_prefix=8192&workload.sessions=2000&lens=devices",
    },
    Preset {
        name: "Research",
        line: "v=1&model=qwen3-8b&context=32768&sequences=1&hardware.0.device=rtx-4090&weights.format=BF16&lens=methods",
    },
];

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

#[cfg(test)]
mod tests {
    use super::*;
    use kvplan_core::hardware::catalog;
    use kvplan_core::planner::Planner;

    #[test]
    fn every_preset_opens_on_a_plan_that_fits() {
        for preset in PRESETS {
            let opened = link::read(preset.line).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            let plan =
                Planner::new(opened.state).plan().unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            assert!(plan.fit.spare_bytes.unwrap() > 0, "{}: {:?}", preset.name, plan.fit);
        }
    }

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
