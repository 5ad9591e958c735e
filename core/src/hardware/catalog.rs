//! The devices shipped with the program: found by id or alias, parsed once, on first use.

use super::{Class, Device, HardwareFile};
use crate::error::PlanError;
use crate::order;
use crate::read;
use kvplan_model_specs::devices;
use serde_json::Value;
use std::sync::{LazyLock, OnceLock};

static PARSED: LazyLock<Box<[OnceLock<Device>]>> =
    LazyLock::new(|| devices().entries.iter().map(|_| OnceLock::new()).collect());

/// How many near misses an unknown id is answered with.
const SUGGESTIONS: usize = 5;

/// Words that drivers and shops put before or after a product's name.
const FILLERS: [&str; 9] =
    ["nvidia", "geforce", "amd", "radeon", "intel", "apple", "tesla", "instinct", "generation"];

/// The catalogued device of that id or alias. Case, blanks for hyphens and vendors' words make no difference:
/// `NVIDIA GeForce RTX 5090` is `rtx-5090`.
///
/// # Errors
/// `invalid` with the nearest ids, or if the shipped record itself is broken.
pub fn find(name: &str) -> Result<&'static Device, PlanError> {
    let tidy = tidied(name);
    let row = devices()
        .row_of(&tidy)
        .or_else(|| devices().row_of(&shortened(&tidy)))
        .ok_or_else(|| unknown(name))?;
    let (cell, entry) = PARSED.get(row).zip(devices().entries.get(row)).ok_or_else(|| unknown(name))?;
    if let Some(device) = cell.get() {
        return Ok(device);
    }
    let device = Device::from(shipped(entry.json).map_err(|e| e.within(entry.id))?);
    Ok(cell.get_or_init(|| device))
}

/// The graphics card with the least memory of those of the same maker that have more.
#[must_use]
pub fn larger_card(than: &str) -> Option<&'static Device> {
    let now = find(than).ok()?;
    let mut best: Option<&'static Device> = None;
    let key = |device: &Device| (device.memory(), device.class() != now.class(), device.id().to_owned());
    for device in all().filter_map(Result::ok) {
        let is_larger = is_card(device)
            && device.record().vendor == now.record().vendor
            && device.memory() > now.memory();
        if is_larger && best.is_none_or(|best| key(device) < key(best)) {
            best = Some(device);
        }
    }
    best
}

/// What is put into a machine, as the machine's own memory is not.
const fn is_card(device: &Device) -> bool {
    match device.class() {
        Class::ConsumerGpu | Class::WorkstationGpu | Class::DatacenterGpu => true,
        Class::UnifiedSoc
        | Class::Accelerator
        | Class::MobileNpu
        | Class::HostMemory
        | Class::Disk
        | Class::Link => false,
    }
}

/// Every catalogued device, by id.
pub fn all() -> impl Iterator<Item = Result<&'static Device, PlanError>> {
    devices().entries.iter().map(|entry| find(entry.id))
}

/// Reads a record as it is embedded.
fn shipped(json: &str) -> Result<HardwareFile, PlanError> {
    let value: Value = serde_json::from_str(json).map_err(|e| PlanError::invalid("", e.to_string()))?;
    read::value("", &value)
}

/// Reads a hardware record in TOML.
///
/// # Errors
/// `invalid`, with the line in the message.
pub fn parse(text: &str) -> Result<HardwareFile, PlanError> {
    toml::from_str(text).map_err(|e| PlanError::invalid("", e.to_string()))
}

fn unknown(name: &str) -> PlanError {
    let near = nearest(name);
    let hint = if near.is_empty() { String::new() } else { format!("; nearest: {}", near.join(", ")) };
    let message = format!(
        "no device `{name}` is catalogued{hint}; any other is described by memory_bytes and bandwidth_bytes_per_s"
    );
    PlanError::invalid("device", message).with_value(name)
}

/// The catalogued ids closest to `name`, best first.
#[must_use]
pub fn nearest(name: &str) -> Vec<&'static str> {
    let name = shortened(&tidied(name));
    let mut scored: Vec<(f64, &'static str)> = devices()
        .names
        .iter()
        .filter_map(|(known, row)| {
            // A name without its memory is the commonest miss, so whatever begins with it comes first.
            let score = if known.starts_with(&name) { 1.0 } else { strsim::jaro_winkler(&name, known) };
            devices().entries.get(*row).map(|entry| (score, entry.id)).filter(|(score, _)| *score > 0.7)
        })
        .collect();
    order::by(&mut scored, |a, b| b.0.total_cmp(&a.0).then(a.1.len().cmp(&b.1.len())).then(a.1.cmp(b.1)));
    let mut ids: Vec<&'static str> = Vec::new();
    for (_, id) in scored {
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() == SUGGESTIONS {
            break;
        }
    }
    ids
}

fn tidied(name: &str) -> String {
    name.trim().to_ascii_lowercase().replace([' ', '_', '/'], "-")
}

fn shortened(tidy: &str) -> String {
    let words: Vec<&str> =
        tidy.split('-').filter(|word| !word.is_empty() && !FILLERS.contains(word)).collect();
    words.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::Basis;
    use crate::hardware::Class;
    use crate::unit::Bytes;

    #[test]
    fn every_shipped_record_parses_under_its_own_id() {
        for device in all() {
            let device = device.unwrap();
            assert_eq!(find(device.id()).unwrap(), device);
        }
    }

    #[test]
    fn a_drivers_name_finds_the_catalogued_card() {
        for name in ["rtx-5090", "RTX 5090", "NVIDIA GeForce RTX 5090", "rtx_5090"] {
            assert_eq!(find(name).unwrap().id(), "rtx-5090");
        }
        assert_eq!(find("NVIDIA H100 80GB HBM3").unwrap().id(), "h100-sxm-80gb");
        assert_eq!(find("m4-max-128gb").unwrap().name(), "Apple M4 Max (40-core GPU) 128GB");
    }

    #[test]
    fn a_name_without_its_memory_is_refused_with_the_sizes_sold() {
        let error = find("m4-max").unwrap_err();
        assert_eq!(error.field, "device");
        assert!(error.message.contains("m4-max-128gb"), "{}", error.message);
        assert!(find("h100").unwrap_err().message.contains("h100-sxm-80gb"));
    }

    #[test]
    fn usable_memory_is_the_drivers_where_one_reported_it_and_assumed_elsewhere() {
        // nvidia-smi on a "32 GB" card prints 32607 MiB.
        let usable = find("rtx-5090").unwrap().usable().unwrap();
        assert_eq!((usable.bytes, usable.basis), (Bytes::new(32_607 << 20), Basis::Exact));
        // llama.cpp on a 64 GB Mac: recommendedMaxWorkingSetSize 49152 MiB; on a 32 GB one 21845.34 MiB.
        let usable = find("m1-max-64gb").unwrap().usable().unwrap();
        assert_eq!((usable.bytes, usable.basis), (Bytes::new(49_152 << 20), Basis::Assumed));
        let usable = find("m2-max-32gb").unwrap().usable().unwrap();
        assert_eq!(usable.bytes.get() >> 20, 21_845);
    }

    #[test]
    fn a_unified_machine_is_one_pool_and_a_disk_has_no_memory() {
        let mac = find("m3-ultra-512gb").unwrap();
        assert!(mac.unified());
        assert_eq!(mac.record().host_link_bytes_per_s, None);
        let disk = find("nvme-pcie4-x4").unwrap();
        assert_eq!((disk.class(), disk.memory(), disk.bandwidth()), (Class::Disk, None, Some(7_000_000_000)));
    }

    #[test]
    fn geforce_and_workstation_peaks_are_on_one_convention() {
        // The same chip, GA102: 82 SMs at 1.695 GHz and 84 SMs at 1.8 GHz. Full width differs by that alone.
        let full = |id: &str| find(id).unwrap().record().flops.fp16_accumulate_fp16.unwrap();
        let (card, pro) = (full("rtx-3090"), full("rtx-a6000"));
        assert!(card * 100 / pro > 90 && card * 100 / pro < 94, "{card} {pro}");
    }

    #[test]
    fn a_device_described_in_the_request_needs_a_name_and_memory() {
        let device = Device::custom("bench", Bytes::new(1), Some(1)).unwrap();
        assert_eq!((device.memory(), device.bandwidth()), (Some(Bytes::new(1)), Some(1)));
        assert_eq!(Device::custom(" ", Bytes::new(1), None).unwrap_err().field, "device");
        assert_eq!(Device::custom("x", Bytes::ZERO, None).unwrap_err().field, "memory_bytes");
        assert_eq!(Device::custom("x", Bytes::new(1), Some(0)).unwrap_err().field, "bandwidth_bytes_per_s");
    }
}
