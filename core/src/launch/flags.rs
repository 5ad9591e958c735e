//! The flags each engine's own parser accepts, as data: `flags/*.txt`, read out of the parser's source at the version
//! modelled. They tell a flag that is none of ours from one that does not exist, and which words are values.

use std::sync::LazyLock;

/// How many values a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    /// None: its presence says it all.
    Switch,
    /// None, with a spelling that turns it off.
    Toggle,
    /// One.
    One,
    /// Two.
    Two,
    /// At most one.
    Optional,
    /// One or more, up to the next flag.
    Many,
}

/// A flag of an engine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flag {
    /// Its spellings.
    pub names: Vec<&'static str>,
    /// The spellings that turn it off.
    pub off: Vec<String>,
    /// The environment variable that sets it.
    pub env: Option<&'static str>,
    pub arity: Arity,
}

/// All flags of an engine's launcher.
#[derive(Debug)]
pub(super) struct Flags {
    flags: Vec<Flag>,
    /// Whether an unambiguous beginning of a long flag will do, as for Python's argparse.
    abbreviations: bool,
}

pub(super) static LLAMA_CPP: LazyLock<Flags> =
    LazyLock::new(|| Flags::parse(include_str!("flags/llama_cpp.txt"), false));
pub(super) static VLLM: LazyLock<Flags> =
    LazyLock::new(|| Flags::parse(include_str!("flags/vllm.txt"), true));
pub(super) static SGLANG: LazyLock<Flags> =
    LazyLock::new(|| Flags::parse(include_str!("flags/sglang.txt"), true));

/// A flag as written: which it is, and whether by an off spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub flag: &'static Flag,
    pub off: bool,
}

impl Flags {
    fn parse(text: &'static str, abbreviations: bool) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let flags = lines
            .filter_map(|line| {
                let (arity, rest) = line.split_once(' ')?;
                let arity = match arity {
                    "0" => Arity::Switch,
                    "1" => Arity::One,
                    "2" => Arity::Two,
                    "?" => Arity::Optional,
                    "*" => Arity::Many,
                    _ => Arity::Toggle,
                };
                let (rest, env) = match rest.split_once(" $") {
                    Some((rest, env)) => (rest, Some(env)),
                    None => (rest, None),
                };
                let (on, off) = rest.split_once(" | ").unwrap_or((rest, ""));
                let names: Vec<&str> = on.split(' ').collect();
                let mut off: Vec<String> =
                    off.split(' ').filter(|s| !s.is_empty()).map(str::to_owned).collect();
                if arity == Arity::Toggle && off.is_empty() {
                    let long = names.iter().filter_map(|name| name.strip_prefix("--"));
                    off = long.map(|name| format!("--no-{name}")).collect();
                }
                Some(Flag { names, off, env, arity })
            })
            .collect();
        Self { flags, abbreviations }
    }

    /// The flag spelled `name`, underscores in long names aside.
    pub(super) fn find(&'static self, name: &str) -> Option<Found> {
        let dashed = name.strip_prefix("--").map(|long| format!("--{}", long.replace('_', "-")));
        let name = dashed.as_deref().unwrap_or(name);
        let exact = self.flags.iter().find_map(|flag| {
            let on = flag.names.contains(&name);
            let off = flag.off.iter().any(|off| off == name);
            (on || off).then_some(Found { flag, off })
        });
        if exact.is_some() || !self.abbreviations || name.len() < 4 || !name.starts_with("--") {
            return exact;
        }
        let mut begun = self.flags.iter().filter_map(|flag| {
            let on = flag.names.iter().any(|known| known.starts_with(name));
            let off = flag.off.iter().any(|known| known.starts_with(name));
            (on || off).then_some(Found { flag, off: !on })
        });
        begun.next().filter(|_| begun.next().is_none())
    }

    /// The flag an environment variable stands for.
    pub(super) fn of_variable(&'static self, name: &str) -> Option<&'static Flag> {
        self.flags.iter().find(|flag| flag.env == Some(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_read() {
        for (flags, count) in [(&LLAMA_CPP, 352), (&VLLM, 320), (&SGLANG, 531)] {
            assert_eq!(flags.flags.len(), count);
            for flag in &flags.flags {
                for name in &flag.names {
                    assert!(name.starts_with('-'), "{name}");
                }
            }
        }
    }

    #[test]
    fn spellings_lead_to_one_flag() {
        let found = LLAMA_CPP.find("--ctx_size").unwrap();
        assert!(found.flag.names.contains(&"-c"));
        assert_eq!((found.flag.arity, found.flag.env), (Arity::One, Some("LLAMA_ARG_CTX_SIZE")));
        assert!(LLAMA_CPP.find("--no-kv-offload").unwrap().off);
        assert_eq!(LLAMA_CPP.find("--ctx"), None, "llama.cpp knows no abbreviations");
        assert!(VLLM.find("--max-model").is_some_and(|f| f.flag.names.contains(&"--max-model-len")));
        assert!(VLLM.find("--no-enable-prefix-caching").unwrap().off);
        assert_eq!(VLLM.find("--max"), None, "an ambiguous beginning");
        assert_eq!(VLLM.find("--no-such-flag"), None);
    }
}
