//! Names of GPUs, and what the catalogue may call them.

use super::{By, Card};

/// Cards that NVIDIA's kernel driver lists, where its library is not installed.
pub(super) fn of_driver() -> Vec<Card> {
    let cards = std::fs::read_dir("/proc/driver/nvidia/gpus").into_iter().flatten().flatten();
    let name = |card: std::fs::DirEntry| {
        let text = std::fs::read_to_string(card.path().join("information")).ok()?;
        model(&text)
    };
    cards
        .filter_map(name)
        .map(|name| Card { name, memory_bytes: None, in_use_bytes: None, by: By::NvidiaDriver, id: None })
        .collect()
}

/// The model of `/proc/driver/nvidia/gpus/*/information`.
fn model(text: &str) -> Option<String> {
    let name = text.lines().find_map(|line| line.strip_prefix("Model:"))?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

/// What a name may stand for: itself; each of several in brackets (`Navi 31 [Radeon RX 7900 XT/7900 XTX]`); without the
/// words that catalogues leave out.
pub(super) fn candidates(name: &str) -> Vec<String> {
    let mut names = vec![plain(name)];
    if let Some((_, rest)) = name.split_once('[')
        && let Some((inside, _)) = rest.split_once(']')
    {
        let mut parts = inside.split('/').map(str::trim);
        let first = parts.next().unwrap_or_default();
        names.push(plain(first));
        // `Radeon RX 7900 XT/7900 XTX`: the words before the number belong to all.
        let shared: Vec<&str> = first
            .split_whitespace()
            .take_while(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
            .collect();
        for part in parts {
            names.push(plain(&format!("{} {part}", shared.join(" "))));
            names.push(plain(part));
        }
    }
    names
}

/// Lower case, hyphens for blanks, without vendors and trade marks.
fn plain(name: &str) -> String {
    const LEFT_OUT: &[&str] =
        &["nvidia", "amd", "intel", "apple", "geforce", "radeon", "graphics", "laptop", "gpu", "instinct"];
    let name = name.to_lowercase().replace("(r)", " ").replace("(tm)", " ");
    // A laptop's GPU is another card than the one it is named after.
    let laptop = name.split_whitespace().any(|word| word == "laptop" || word == "max-q");
    let words: Vec<&str> = name
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter(|word| !word.is_empty() && !LEFT_OUT.contains(word))
        .collect();
    let name = words.join("-");
    if laptop { format!("{name}-laptop") } else { name }
}

/// Whether an id is that name with a size of memory behind it: `m4-max-128gb` of `m4-max`.
pub(super) fn is_size_of(id: &str, name: &str) -> bool {
    let rest = id.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    rest.and_then(|rest| rest.strip_suffix("gb")).is_some_and(|n| n.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_drivers_model_line_is_the_name() {
        // NVIDIA's driver README, chapter "The /proc Interface".
        let text = "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 145\nBus Type: \t PCIe\n";
        assert_eq!(model(text).as_deref(), Some("NVIDIA GeForce RTX 3090"));
        assert_eq!(model("IRQ: 1\n"), None);
    }

    #[test]
    fn names_lose_their_vendors_and_brackets_give_several() {
        assert_eq!(candidates("NVIDIA GeForce RTX 4090"), ["rtx-4090"]);
        assert_eq!(candidates("Intel(R) Arc(TM) B580 Graphics"), ["arc-b580"]);
        // The kernel's name of 1002:744c in pci.ids.
        let navi = candidates("Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]");
        for wanted in ["rx-7900-xt", "rx-7900-xtx", "rx-7900-gre", "rx-7900m"] {
            assert!(navi.iter().any(|name| name == wanted), "{wanted}: {navi:?}");
        }
    }

    #[test]
    fn a_laptops_gpu_is_not_the_card_it_is_named_after() {
        assert_eq!(candidates("NVIDIA GeForce RTX 4090 Laptop GPU"), ["rtx-4090-laptop"]);
    }

    #[test]
    fn a_size_of_memory_may_follow_a_name() {
        assert!(is_size_of("m4-max-128gb", "m4-max"));
        assert!(!is_size_of("m4-max-128gb", "m4"));
        assert!(!is_size_of("rtx-4090", "rtx-4090"));
    }
}
