//! The host: memory, cores, processor.

use super::{By, Card};
use serde::Serialize;

/// What the host has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Host {
    /// All its memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
    /// What is available of it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) available_bytes: Option<u64>,
    /// Processors, threads of a core counted apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threads: Option<usize>,
    /// The processor's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) processor: String,
}

/// Asks the operating system.
#[cfg(feature = "detect")]
pub(super) fn read() -> Host {
    use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};
    let what = RefreshKind::nothing()
        .with_memory(MemoryRefreshKind::nothing().with_ram())
        .with_cpu(CpuRefreshKind::nothing());
    let Ok(system) = System::new_with_specifics(what) else { return Host::default() };
    let some = |bytes: u64| (bytes > 0).then_some(bytes);
    Host {
        memory_bytes: some(system.total_memory()),
        available_bytes: some(system.available_memory()),
        threads: std::thread::available_parallelism().ok().map(std::num::NonZero::get),
        processor: system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).unwrap_or_default(),
    }
}

/// Reads what Linux says of its memory.
#[cfg(not(feature = "detect"))]
pub(super) fn read() -> Host {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    Host {
        memory_bytes: of("MemTotal"),
        available_bytes: of("MemAvailable"),
        threads: std::thread::available_parallelism().ok().map(std::num::NonZero::get),
        processor: String::new(),
    }
}

/// The chip whose processor and GPU share one memory, by the processor's name.
pub(super) fn unified(host: &Host) -> Option<Card> {
    chip(&host.processor).map(|name| Card {
        name,
        memory_bytes: None,
        in_use_bytes: None,
        by: By::Processor,
        id: None,
    })
}

/// `Apple M4 Max`, `AMD RYZEN AI MAX+ 395 w/ Radeon 8060S`: what the catalogue calls them.
fn chip(processor: &str) -> Option<String> {
    let name = processor.to_lowercase();
    if name.starts_with("apple m") {
        return Some(processor.trim().to_owned());
    }
    // The 385 to 395 of that name are one chip, the largest of which the catalogue has.
    name.contains("ryzen ai max").then(|| "strix-halo".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_that_share_their_memory_are_known_by_their_names() {
        assert_eq!(chip("Apple M3 Pro").as_deref(), Some("Apple M3 Pro"));
        assert_eq!(chip("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S").as_deref(), Some("strix-halo"));
        assert_eq!(chip("AMD Ryzen 9 7950X 16-Core Processor"), None);
        assert_eq!(chip("Intel(R) Core(TM) Ultra 7 155H"), None);
    }
}
