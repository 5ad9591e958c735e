//! The machine this runs on, as its drivers and kernel describe it.
//!
//! `nvml` asks NVIDIA's library where it is installed, `drm` reads what Linux says of AMD and Intel GPUs, `host` asks for
//! memory and processor, and where none of them names a GPU the graphics interfaces' adapters do. What is found is
//! matched with the catalogue by name and memory, for its bandwidth; everything from here is shown as detected.
//! Reading is in those four; what their words mean is worked out in functions of text, tested with text from elsewhere.

mod drm;
mod host;
mod name;
#[cfg(feature = "detect")]
mod nvml;

#[cfg(feature = "detect")]
use crate::quiet;
use kvplan_core::hardware::{Class, Device, catalog};
use kvplan_core::placement::HOST;
use kvplan_core::plan::HardwareEntry;
use serde::Serialize;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum By {
    /// NVIDIA's management library.
    Nvml,
    /// NVIDIA's kernel driver, where the library is not there.
    NvidiaDriver,
    /// The kernel's direct rendering manager.
    Drm,
    /// The processor's name: one memory for both.
    Processor,
    /// A graphics interface's adapter.
    Adapter,
}

/// A GPU, in its driver's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Card {
    /// Its name.
    pub(crate) name: String,
    /// All its memory; absent where nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
    /// What is held of it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_use_bytes: Option<u64>,
    /// Who said so.
    pub(crate) by: By,
    /// The catalogue's id of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Found {
    /// GPUs and their like.
    pub(crate) cards: Vec<Card>,
    /// The host's memory, cores and processor.
    pub(crate) host: host::Host,
}

/// How much may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Files that the kernel keeps, which are there at once.
    Files,
    /// Also drivers' libraries and, where none of them names a GPU, graphics interfaces: longer than a frame.
    Drivers,
}

/// Looks at this machine.
pub(crate) fn detect(depth: Depth) -> Found {
    let host = host::read();
    let mut cards = match depth {
        // Elsewhere there are no such files.
        Depth::Files if cfg!(target_os = "linux") => name::of_driver(),
        Depth::Files | Depth::Drivers => nvidia(),
    };
    cards.extend(drm::read());
    if cards.is_empty() {
        cards.extend(host::unified(&host));
    }
    if cards.is_empty() && depth == Depth::Drivers {
        cards.extend(of_adapters());
    }
    for card in &mut cards {
        card.id = known(card, &host).map(|device| device.id().to_owned());
    }
    Found { cards, host }
}

#[cfg(feature = "detect")]
fn nvidia() -> Vec<Card> {
    let cards = quiet::ask(nvml::read);
    if cards.is_empty() { name::of_driver() } else { cards }
}

#[cfg(not(feature = "detect"))]
fn nvidia() -> Vec<Card> {
    name::of_driver()
}

#[cfg(feature = "detect")]
fn of_adapters() -> Vec<Card> {
    let found = quiet::ask(|| kvplan_kernels::gpu::block_on(kvplan_kernels::gpu::adapters()));
    let mut names: Vec<String> = Vec::new();
    for adapter in found {
        // One card is listed once a graphics interface; a processor that draws is no GPU.
        if matches!(adapter.kind, "discrete" | "integrated") && !names.contains(&adapter.name) {
            names.push(adapter.name);
        }
    }
    let card = |name| Card { name, memory_bytes: None, in_use_bytes: None, by: By::Adapter, id: None };
    names.into_iter().map(card).collect()
}

#[cfg(not(feature = "detect"))]
fn of_adapters() -> Vec<Card> {
    Vec::new()
}

/// The catalogued device of a card: by name, and by memory where several share it.
fn known(card: &Card, host: &host::Host) -> Option<&'static Device> {
    // A chip that shares the host's memory has what the host has.
    let memory = card.memory_bytes.or(host.memory_bytes)?;
    let mut best: Option<(&'static Device, u64)> = None;
    for name in name::candidates(&card.name) {
        let exact = catalog::find(&name).ok();
        let sized =
            catalog::all().filter_map(Result::ok).filter(|device| name::is_size_of(device.id(), &name));
        for device in exact.into_iter().chain(sized) {
            let Some(own) = device.memory().map(|bytes| bytes.get()) else { continue };
            // Drivers keep some of a card, and the kernel more of a host.
            let near = own.abs_diff(memory) <= own / if device.class() == Class::UnifiedSoc { 6 } else { 12 };
            let measured = card.memory_bytes.is_some() || device.class() == Class::UnifiedSoc;
            if (near || !measured) && best.is_none_or(|(_, off)| own.abs_diff(memory) < off) {
                best = Some((device, own.abs_diff(memory)));
            }
        }
    }
    best.map(|(device, _)| device)
}

impl Found {
    /// The machine as a request has it: cards of a kind together, then the host's memory, unless a chip shares it.
    pub(crate) fn hardware(&self) -> Vec<HardwareEntry> {
        let mut entries: Vec<HardwareEntry> = Vec::new();
        let mut shared = false;
        for card in &self.cards {
            let device = card.id.as_deref().and_then(|id| catalog::find(id).ok());
            shared |= device.is_some_and(|device| device.class() == Class::UnifiedSoc);
            let (name, memory_bytes) = match (device, card.memory_bytes) {
                (Some(device), _) => (device.id().to_owned(), None),
                (None, Some(memory)) => (card.name.clone(), Some(memory)),
                // A card that nobody knows the memory of is of no use to a plan.
                (None, None) => continue,
            };
            match entries.iter_mut().find(|e| e.device == name && e.memory_bytes == memory_bytes) {
                Some(entry) => entry.count += 1,
                None => entries.push(HardwareEntry {
                    device: name,
                    count: 1,
                    memory_bytes,
                    bandwidth_bytes_per_s: None,
                }),
            }
        }
        if let Some(memory) = self.host.memory_bytes.filter(|_| !shared) {
            entries.push(HardwareEntry {
                device: HOST.to_owned(),
                count: 1,
                memory_bytes: Some(memory),
                bandwidth_bytes_per_s: None,
            });
        }
        entries
    }

    /// What other programs hold of the card that has least left.
    pub(crate) fn in_use(&self) -> u64 {
        self.cards.iter().filter_map(|card| card.in_use_bytes).max().unwrap_or(0)
    }

    /// Whether there is a GPU that a plan can be held against.
    pub(crate) fn has_gpu(&self) -> bool {
        self.hardware().iter().any(|entry| entry.device != HOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(name: &str, memory_bytes: Option<u64>) -> Card {
        Card { name: name.to_owned(), memory_bytes, in_use_bytes: Some(7), by: By::Nvml, id: None }
    }

    fn found(cards: &[Card], memory: u64) -> Found {
        let host = host::Host { memory_bytes: Some(memory), ..host::Host::default() };
        let mut cards = cards.to_vec();
        for card in &mut cards {
            card.id = known(card, &host).map(|device| device.id().to_owned());
        }
        Found { cards, host }
    }

    fn names(found: &Found) -> Vec<(String, u64, Option<u64>)> {
        found.hardware().into_iter().map(|e| (e.device, e.count, e.memory_bytes)).collect()
    }

    const GIB: u64 = 1 << 30;

    #[test]
    fn cards_of_a_kind_stand_together_with_the_memory_of_the_host() {
        // Names and memory as nvidia-smi prints them: 32607 MiB.
        let two = card("NVIDIA GeForce RTX 5090", Some(32_607 << 20));
        let machine = found(&[two.clone(), two], 62 * GIB);
        assert_eq!(names(&machine), [("rtx-5090".into(), 2, None), ("CPU".into(), 1, Some(62 * GIB))]);
        assert_eq!(machine.in_use(), 7);
    }

    #[test]
    fn a_card_that_comes_in_two_sizes_is_told_by_its_memory() {
        let small = found(&[card("NVIDIA GeForce RTX 4060 Ti", Some(8188 << 20))], 0);
        let large = found(&[card("NVIDIA GeForce RTX 4060 Ti", Some(16_380 << 20))], 0);
        assert_ne!(names(&small)[0].0, names(&large)[0].0);
        assert_eq!(names(&large)[0].0, "rtx-4060-ti-16gb");
    }

    #[test]
    fn a_chip_that_shares_the_hosts_memory_is_the_whole_machine() {
        let machine = found(&[Card { by: By::Processor, ..card("Apple M4 Max", None) }], 128 * GIB);
        assert_eq!(names(&machine), [("m4-max-128gb".into(), 1, None)]);
    }

    #[test]
    fn a_card_that_is_not_catalogued_keeps_its_own_words() {
        let machine = found(&[card("Quadro K420", Some(2 * GIB))], 8 * GIB);
        assert_eq!(names(&machine)[0], ("Quadro K420".into(), 1, Some(2 * GIB)));
        assert!(!found(&[card("Nobody's GPU", None)], 8 * GIB).has_gpu());
    }
}
