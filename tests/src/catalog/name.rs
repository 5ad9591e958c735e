//! From a repository's name to a catalogue id, and to the other names people use for the same cache.

/// Parts of a repository's name that say how the weights were tuned or stored, and nothing about the cache.
const INERT: &[&str] = &[
    "instruct",
    "it",
    "chat",
    "hf",
    "base",
    "sft",
    "pt",
    "think",
    "thinking",
    "bf16",
    "fp8",
    "nvfp4",
    "dynamic",
    "static",
    "pertensor",
    "quantized",
];

/// Publishers' own names at the start of a repository's name.
const PREFIXES: &[&str] = &["meta-", "nvidia-", "c4ai-", "ai21-"];

/// Who published what others only repackage.
const PUBLISHERS: &[(&str, &str)] = &[
    ("deepseek-", "deepseek-ai"),
    ("kimi-", "moonshotai"),
    ("glm-", "zai-org"),
    ("gemma-", "google"),
    ("qwen", "qwen"),
    ("minimax-", "minimaxai"),
    ("llama-", "meta-llama"),
];

/// The name without what a collector added in parentheses.
fn published(repository: &str) -> &str {
    repository.split('(').next().unwrap_or(repository)
}

/// The repository's name without its publisher, prefixes and inert parts; case kept.
pub(super) fn display(model: &str) -> String {
    let repository = published(model.rsplit('/').next().unwrap_or(model));
    let lower = repository.to_lowercase();
    let cut = PREFIXES.iter().find(|prefix| lower.starts_with(*prefix)).map_or(0, |prefix| prefix.len());
    let parts: Vec<&str> = repository[cut..].split('-').collect();
    let kept = |part: &&&str| !INERT.contains(&part.to_lowercase().as_str());
    parts.iter().filter(kept).copied().collect::<Vec<_>>().join("-")
}

/// The catalogue id.
pub(super) fn id(model: &str) -> String {
    display(model).to_lowercase()
}

/// Every name of a repository that may stand for its id.
pub(super) fn aliases(model: &str) -> Vec<String> {
    let model = published(model).to_lowercase();
    let id = id(&model);
    let (publisher, repository) = model.split_once('/').unwrap_or(("", &model));
    let mut names = vec![model.clone(), repository.to_owned(), format!("{publisher}/{id}")];
    if publisher == "nvidia" && is_repackaged(&model) {
        let owner = PUBLISHERS.iter().find(|(start, _)| id.starts_with(start));
        names.extend(owner.map(|(_, owner)| format!("{owner}/{id}")));
    }
    for prefix in PREFIXES {
        names.extend(repository.strip_prefix(prefix).map(str::to_owned));
    }
    names.push(id.replace('_', "."));
    names.extend(undated(&id));
    names
}

/// The id without a date in it (`-2512`, `-0325`, `-03-2025`), where one part of four digits is a date.
fn undated(id: &str) -> Option<String> {
    let parts: Vec<&str> = id.split('-').collect();
    let digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    let at = parts.iter().position(|part| digits(part, 4))?;
    let month = at > 0 && digits(parts[at - 1], 2);
    let from = if month { at - 1 } else { at };
    let kept: Vec<&str> = parts[..from].iter().chain(&parts[at + 1..]).copied().collect();
    Some(kept.join("-"))
}

/// Whether the repository only repackages weights that its publisher stores otherwise.
pub(super) fn is_repackaged(model: &str) -> bool {
    let model = model.to_lowercase();
    ["fp8", "nvfp4", "quantized"].iter().any(|part| model.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_people_type() {
        for (model, expected) in [
            ("meta-llama/Meta-Llama-3.1-8B", "llama-3.1-8b"),
            ("meta-llama/Llama-3.1-8B-Instruct", "llama-3.1-8b"),
            ("google/gemma-3-27b-it(expanded)", "gemma-3-27b"),
            ("nvidia/Qwen3.6-27B-NVFP4", "qwen3.6-27b"),
            ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "nemotron-3-nano-30b-a3b"),
            ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3-30b-a3b-2507"),
            ("mistralai/Mistral-7B-Instruct-v0.2", "mistral-7b-v0.2"),
            ("RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic", "llama-4-scout-17b-16e"),
        ] {
            assert_eq!(id(model), expected);
        }
    }

    #[test]
    fn dates_may_be_left_out() {
        assert!(aliases("mistralai/Devstral-2-123B-Instruct-2512").contains(&"devstral-2-123b".to_owned()));
        assert!(aliases("CohereLabs/c4ai-command-r7b-12-2024").contains(&"command-r7b".to_owned()));
    }
}
