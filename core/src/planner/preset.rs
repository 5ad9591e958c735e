//! States that are offered by name: whom kvplan is for, each a link that anyone could have written.

/// A state that is offered by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// Whom it is for.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// The state, as a link writes it.
    pub line: &'static str,
}

/// A popular hybrid on a popular card, engines that serve many at once, and codecs at equal bytes.
pub const PRESETS: [Preset; 3] = [
    Preset {
        name: "Local PC",
        about: "one card on a desk: which weights and which cache reach how far",
        line: "v=1&model=qwen3.6-27b&context=131072&engine.name=llama.cpp&sequences=1&hardware.0.device=rtx-5090\
               &hardware.1.device=CPU&hardware.1.memory_bytes=68719476736&weights.format=Q4_K_M",
    },
    Preset {
        name: "Serving",
        about: "eight cards, 2,000 sessions: how many nodes, and what each holds",
        line: "v=1&model=deepseek-v3.2&context=131072&engine.name=vllm&sequences=4&cache.kv=fp8_e4m3\
               &hardware.0.device=h200-sxm-141gb&hardware.0.count=8&placement.tp=8&weights.format=fp8\
               &workload.typical_context=32768&workload.shared_prefix=8192&workload.sessions=2000&lens=devices",
    },
    Preset {
        name: "Research",
        about: "codecs by stored bits against measured error",
        line: "v=1&model=qwen3-8b&context=32768&sequences=1&hardware.0.device=rtx-4090&weights.format=BF16&lens=methods",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::{Planner, link};

    #[test]
    fn every_preset_opens_on_a_plan_that_fits() {
        for preset in PRESETS {
            let opened = link::read(preset.line).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            let plan =
                Planner::new(opened.state).plan().unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            assert!(plan.fit.spare_bytes.unwrap() > 0, "{}: {:?}", preset.name, plan.fit);
        }
    }
}
