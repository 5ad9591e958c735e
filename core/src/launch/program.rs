//! Which program a pasted text starts, the variables it is given, and the words that are its arguments.

use super::words::Word;

/// A program whose command line is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
pub(super) enum Program {
    #[strum(serialize = "llama-server")]
    LlamaServer,
    /// Any other of llama.cpp's tools: one sequence, no slots.
    #[strum(serialize = "llama-cli")]
    LlamaCli,
    #[strum(serialize = "vllm serve")]
    Vllm,
    #[strum(serialize = "sglang.launch_server")]
    Sglang,
}

/// One start of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub program: Program,
    /// Variables in front of it, exported before it, or given to its container.
    pub variables: Vec<(String, String)>,
    /// What stood in front of the program: wrappers, a container's own options.
    pub before: Vec<String>,
    pub arguments: Vec<String>,
}

/// The first start of a known program among `commands`.
pub(super) fn find(commands: Vec<Vec<Word>>) -> Option<Start> {
    let mut exported: Vec<(String, String)> = Vec::new();
    for words in commands {
        if let Some(mut start) = start_of(&words) {
            exported.append(&mut start.variables);
            start.variables = exported;
            return Some(start);
        }
        // `export A=B`, or PowerShell's `$env:A = "B"`.
        exported.extend(words.iter().filter_map(|word| variable(&word.text)));
        if let [name, equals, value] = words.as_slice()
            && equals.text == "="
            && let Some(name) = name.text.strip_prefix("$env:")
        {
            exported.push((name.to_owned(), value.text.clone()));
        }
    }
    None
}

fn start_of(words: &[Word]) -> Option<Start> {
    let (mut variables, mut before) = (Vec::new(), Vec::new());
    let mut rest = words.iter().enumerate();
    while let Some((at, word)) = rest.next() {
        let after = words.get(at + 1..).unwrap_or_default();
        if let Some((program, skip)) = recognise(&word.text, after) {
            let arguments = after.iter().skip(skip).take_while(|word| !redirects(word));
            let arguments = arguments.map(|word| word.text.clone()).collect();
            return Some(Start { program, variables, before, arguments });
        }
        match word.text.as_str() {
            "-e" | "--env" => variables.extend(rest.next().and_then(|(_, word)| variable(&word.text))),
            text => match text.strip_prefix("--env=").or(Some(text)).and_then(variable) {
                Some(pair) => variables.push(pair),
                None => before.push(text.to_owned()),
            },
        }
    }
    None
}

/// `NAME=VALUE`.
fn variable(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=')?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then(|| (name.to_owned(), value.to_owned()))
}

fn redirects(word: &Word) -> bool {
    !word.quoted && (word.text.starts_with('>') || word.text.starts_with("2>"))
}

/// The program `word` is, and how many of the words `after` it belong to its name.
fn recognise(word: &str, after: &[Word]) -> Option<(Program, usize)> {
    // A container's image: its entry point is the program, unless the words after it name one.
    program(word, after).or_else(|| {
        let named = |at: usize| {
            let rest = after.get(at + 1..).unwrap_or_default();
            after.get(at).is_some_and(|word| program(&word.text, rest).is_some())
        };
        image(word, after).filter(|_| !(0..3).any(named))
    })
}

/// The program of this name.
fn program(word: &str, after: &[Word]) -> Option<(Program, usize)> {
    let next = |at: usize| after.get(at).map(|word| word.text.as_str());
    let base = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let base = base.strip_suffix(".exe").unwrap_or(base);
    match base {
        "llama-server" => return Some((Program::LlamaServer, 0)),
        "llama-cli" | "llama-completion" | "llama-perplexity" | "llama-simple" | "llama-mtmd-cli" => {
            return Some((Program::LlamaCli, 0));
        }
        // One binary for all tools.
        "llama" => match next(0) {
            Some("serve" | "server") => return Some((Program::LlamaServer, 1)),
            Some("cli" | "run") => return Some((Program::LlamaCli, 1)),
            Some(_) | None => {}
        },
        "sglang" if next(0) == Some("serve") => return Some((Program::Sglang, 1)),
        "vllm" if next(0) == Some("serve") => return Some((Program::Vllm, 1)),
        _ => {}
    }
    if !base.starts_with("python") || next(0) != Some("-m") {
        return None;
    }
    match next(1) {
        Some("sglang.launch_server" | "sglang.launch_server_cli") => Some((Program::Sglang, 2)),
        Some("vllm.entrypoints.openai.api_server" | "vllm.entrypoints.api_server") => {
            Some((Program::Vllm, 2))
        }
        Some(_) | None => None,
    }
}

/// What a container of this image starts.
fn image(word: &str, after: &[Word]) -> Option<(Program, usize)> {
    if word.starts_with('-') || !word.contains('/') {
        return None;
    }
    let image = word.split(['@', ':']).next().unwrap_or(word);
    if image.ends_with("/vllm-openai") {
        return Some((Program::Vllm, 0));
    }
    if image.ends_with("/llama.cpp") {
        let tag = word.split_once(':').map_or("", |(_, tag)| tag);
        // The `full` image starts a script that takes the tool first.
        return match after.first().map(|word| word.text.as_str()) {
            Some("--server" | "-s") if tag.starts_with("full") => Some((Program::LlamaServer, 1)),
            Some("--run" | "-r") if tag.starts_with("full") => Some((Program::LlamaCli, 1)),
            Some(_) | None if tag.starts_with("light") => Some((Program::LlamaCli, 0)),
            Some(_) | None => Some((Program::LlamaServer, 0)),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::words::commands;
    use rstest::rstest;

    #[rstest]
    #[case("llama-server -c 1", Program::LlamaServer, "-c 1")]
    #[case("sudo nice ./build/bin/llama-server.exe -c 1 > log", Program::LlamaServer, "-c 1")]
    #[case("CUDA_VISIBLE_DEVICES=0 vllm serve m --x", Program::Vllm, "m --x")]
    #[case("python3 -m vllm.entrypoints.openai.api_server --model m", Program::Vllm, "--model m")]
    #[case(
        "docker run --gpus all -v ~/m:/models/x -p 8000:8000 vllm/vllm-openai:v0.11.0 --model m",
        Program::Vllm,
        "--model m"
    )]
    #[case(
        "docker run lmsysorg/sglang:latest python3 -m sglang.launch_server --tp 2",
        Program::Sglang,
        "--tp 2"
    )]
    #[case("docker run x/vllm-openai vllm serve m", Program::Vllm, "m")]
    #[case("docker run ghcr.io/ggml-org/llama.cpp:server-cuda -m x", Program::LlamaServer, "-m x")]
    #[case("docker run ghcr.io/ggml-org/llama.cpp:full --server -m x", Program::LlamaServer, "-m x")]
    #[case("cd x && make\nllama-cli -m x | tee log", Program::LlamaCli, "-m x")]
    fn the_program_is_found_behind_what_starts_it(
        #[case] text: &str,
        #[case] program: Program,
        #[case] arguments: &str,
    ) {
        let start = find(commands(text).unwrap()).unwrap();
        assert_eq!((start.program, start.arguments.join(" ").as_str()), (program, arguments));
    }

    #[test]
    fn variables_are_collected_wherever_they_are_given() {
        let text = "export A=1\nB=2 docker run -e C=3 --env D=4 --env=E=5 vllm/vllm-openai --model m";
        let start = find(commands(text).unwrap()).unwrap();
        let names: Vec<&str> = start.variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A", "B", "C", "D", "E"]);
    }

    #[test]
    fn a_long_line_that_starts_nothing_is_told_at_once() {
        // A log's line has thousands of words; looking ahead from each of them must not look ahead again.
        let line = "enable_prefix_caching=True, ".repeat(50_000);
        assert_eq!(find(commands(&line).unwrap()), None);
    }

    #[test]
    fn text_that_starts_nothing_known_is_none() {
        assert_eq!(find(commands("ls -la\necho vllm").unwrap()), None);
    }
}
