//! GPUs that Linux lists under `/sys/class/drm`: AMD's with their memory, Intel's by name.

use super::{By, Card};
use std::path::Path;

const AMD: &str = "0x1002";
const INTEL: &str = "0x8086";
/// Below this an Intel GPU draws a desktop and an AMD one belongs to a processor: no card.
const LEAST: u64 = 2 << 30;

/// The files of one GPU, as text.
#[derive(Debug, Default)]
struct Files {
    vendor: String,
    device: String,
    product: String,
    total: String,
    used: String,
}

/// Reads every card.
pub(super) fn read() -> Vec<Card> {
    let root = Path::new("/sys/class/drm");
    let mut cards: Vec<_> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        // `card0`, not `card0-DP-1`.
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.strip_prefix("card").is_some_and(|n| n.parse::<u32>().is_ok())
        })
        .collect();
    cards.sort();
    if cards.is_empty() {
        return Vec::new();
    }
    let ids = ["/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids"]
        .iter()
        .find_map(|path| std::fs::read(path).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let files = |path: &Path| {
        let file = |name: &str| std::fs::read_to_string(path.join("device").join(name)).unwrap_or_default();
        Files {
            vendor: file("vendor"),
            device: file("device"),
            product: file("product_name"),
            total: file("mem_info_vram_total"),
            used: file("mem_info_vram_used"),
        }
    };
    cards.iter().filter_map(|path| card(&files(path), &ids)).collect()
}

/// What the files of a GPU say; `None` for one that is no card of its own.
fn card(files: &Files, ids: &str) -> Option<Card> {
    let number = |text: &str| text.trim().parse::<u64>().ok().filter(|bytes| *bytes > 0);
    let (vendor, device) = (files.vendor.trim(), files.device.trim());
    let named = || pci_name(ids, vendor, device).map(str::to_owned);
    let own = Some(files.product.trim().to_owned()).filter(|name| !name.is_empty());
    let name = own.or_else(named).unwrap_or_else(|| format!("GPU {vendor}:{device}"));
    match vendor {
        AMD => {
            let memory = number(&files.total).filter(|bytes| *bytes >= LEAST)?;
            let used = number(&files.used);
            Some(Card { name, memory_bytes: Some(memory), in_use_bytes: used, by: By::Drm, id: None })
        }
        // Its drivers give no size here: the catalogue has it, of cards that have memory of their own.
        INTEL if name.contains("Arc") => {
            Some(Card { name, memory_bytes: None, in_use_bytes: None, by: By::Drm, id: None })
        }
        _ => None,
    }
}

/// The name of a device in pci.ids: a vendor's line, then its devices, each behind a tab.
fn pci_name<'a>(ids: &'a str, vendor: &str, device: &str) -> Option<&'a str> {
    let (vendor, device) = (vendor.strip_prefix("0x")?, device.strip_prefix("0x")?);
    let mut lines = ids.lines().skip_while(|line| !line.starts_with(vendor) || line.starts_with('\t'));
    lines.next()?;
    lines
        .take_while(|line| line.starts_with('\t') || line.starts_with('#') || line.is_empty())
        .find_map(|line| line.strip_prefix('\t')?.strip_prefix(device))
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of pci.ids (https://pci-ids.ucw.cz, vendors 1002 and 8086).
    const IDS: &str = "\
# List of PCI ID's\n\
1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\
\t1636  Renoir [Radeon Vega Series / Radeon Vega Mobile Series]\n\
\t67df  Ellesmere [Radeon RX 470/480/570/570X/580/580X/590]\n\
\t\t1002 0b37  Radeon RX 480\n\
\t744c  Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]\n\
8086  Intel Corporation\n\
\te20b  Battlemage G21 [Arc B580]\n\
\t9a49  TigerLake-LP GT2 [Iris Xe Graphics]\n";

    fn files(vendor: &str, device: &str, total: &str, used: &str) -> Files {
        // Files of sysfs end in a line break.
        let line = |text: &str| if text.is_empty() { String::new() } else { format!("{text}\n") };
        Files {
            vendor: line(vendor),
            device: line(device),
            product: String::new(),
            total: line(total),
            used: line(used),
        }
    }

    #[test]
    fn an_amd_card_says_its_memory_and_what_is_held_of_it() {
        // mem_info_vram_total of an RX 570 4 GB: https://github.com/Ricks-Lab/gpu-utils/issues/118.
        let found = card(&files("0x1002", "0x67df", "4294967296", "51142656"), IDS).unwrap();
        assert_eq!(found.name, "Ellesmere [Radeon RX 470/480/570/570X/580/580X/590]");
        assert_eq!((found.memory_bytes, found.in_use_bytes), (Some(4_294_967_296), Some(51_142_656)));
    }

    #[test]
    fn a_processors_own_graphics_are_no_card() {
        // 512 MiB set aside on a Ryzen 4500U and a 5900HS: https://github.com/Ricks-Lab/gpu-utils/issues/152,
        // https://github.com/clbr/radeontop/issues/163.
        assert_eq!(card(&files("0x1002", "0x1636", "536870912", "1"), IDS), None);
        assert_eq!(card(&files("0x8086", "0x9a49", "", ""), IDS), None);
    }

    #[test]
    fn an_intel_card_is_known_by_name() {
        let found = card(&files("0x8086", "0xe20b", "", ""), IDS).unwrap();
        assert_eq!((found.name.as_str(), found.memory_bytes), ("Battlemage G21 [Arc B580]", None));
    }

    #[test]
    fn without_the_list_of_names_the_numbers_are_the_name() {
        let found = card(&files("0x1002", "0x744c", "25753026560", "0"), "").unwrap();
        assert_eq!(found.name, "GPU 0x1002:0x744c");
        assert_eq!(pci_name(IDS, "0x1002", "0xe20b"), None);
    }
}
