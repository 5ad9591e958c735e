//! NVIDIA's management library, opened at run time: absent, there is nothing to say.

use super::{By, Card};
use nvml_wrapper::Nvml;

/// The GPUs it lists, in its order.
pub(super) fn read() -> Vec<Card> {
    let Ok(library) = Nvml::init() else { return Vec::new() };
    let count = library.device_count().unwrap_or(0);
    (0..count)
        .filter_map(|index| {
            let device = library.device_by_index(index).ok()?;
            // Chips that share the host's memory have no figure of their own.
            let memory = device.memory_info().ok();
            Some(Card {
                name: device.name().ok()?,
                memory_bytes: memory.as_ref().map(|m| m.total).filter(|bytes| *bytes > 0),
                in_use_bytes: memory.as_ref().map(|m| m.used),
                by: By::Nvml,
                id: None,
            })
        })
        .collect()
}
