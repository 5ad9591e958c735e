//! Services of a compose file, and containers of a Kubernetes manifest, as the lines that would start them.

use super::words::quote;

/// What each service or container of `text` with an image would be started by: `docker run -e A=B IMAGE WORDS`, or the script
/// that its shell is given.
pub(super) fn commands(text: &str) -> Vec<String> {
    let lines: Vec<Line> = text.lines().filter_map(Line::of).collect();
    let images = lines.iter().enumerate().filter(|(_, line)| line.value_of("image").is_some_and(is_word));
    images.map(|(at, _)| command(&beside(&lines, at))).collect()
}

fn is_word(value: &str) -> bool {
    !value.is_empty() && !value.contains(char::is_whitespace)
}

/// A line that says something: how far in its key stands, and what it says.
#[derive(Debug, Clone)]
struct Line {
    indent: usize,
    /// Whether a list's dash stands before it.
    item: bool,
    /// Whether it is the first key of a list's entry.
    opens: bool,
    text: String,
}

/// Keys that may be the first of a container.
const FIRST: [&str; 12] = [
    "name",
    "image",
    "args",
    "command",
    "env",
    "envFrom",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "ports",
    "readinessProbe",
    "resources",
];

impl Line {
    fn of(line: &str) -> Option<Self> {
        let text = line.trim_start();
        if text.is_empty() || text.starts_with('#') || text.trim_end() == "---" {
            return None;
        }
        let indent = line.len() - text.len();
        let Some(entry) = text.strip_prefix("- ") else {
            return Some(Self { indent, item: false, opens: false, text: with_defaults(text.trim_end()) });
        };
        let inner = entry.trim_start();
        let opens = inner
            .split_once(':')
            .is_some_and(|(key, rest)| FIRST.contains(&key) && (rest.is_empty() || rest.starts_with(' ')));
        let indent = if opens { indent + text.len() - inner.len() } else { indent };
        Some(Self { indent, item: !opens, opens, text: with_defaults(inner.trim_end()) })
    }

    fn value_of(&self, key: &str) -> Option<&str> {
        let rest = self.text.strip_prefix(key)?.strip_prefix(':')?;
        (!self.item && (rest.is_empty() || rest.starts_with(' '))).then(|| bare(rest))
    }
}

/// `${NAME:-value}` as the value: what it is where nothing is set.
fn with_defaults(text: &str) -> String {
    let mut parts = text.split("${");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let inside = part.split_once('}').and_then(|(inside, rest)| {
            let (_, value) = inside.split_once(":-").or_else(|| inside.split_once('-'))?;
            Some((value, rest))
        });
        match inside {
            Some((value, rest)) => out.extend([value, rest]),
            None => out.extend(["${", part]),
        }
    }
    out
}

/// The lines of the mapping that line `at` is a key of.
fn beside(lines: &[Line], at: usize) -> Vec<&Line> {
    let Some((own, indent)) = lines.get(at).map(|line| (line, line.indent)) else { return Vec::new() };
    // A list may stand as far left as its key.
    let within = |line: &&Line| line.indent >= indent;
    let mut first = at;
    if !own.opens {
        for (place, line) in lines.iter().enumerate().take(at).rev().take_while(|(_, line)| within(line)) {
            first = place;
            if line.opens && line.indent == indent {
                break;
            }
        }
    }
    let last = lines.iter().skip(at + 1).take_while(within);
    let last = last.take_while(|line| !(line.opens && line.indent == indent)).count();
    lines.iter().take(at + 1 + last).skip(first).collect()
}

fn command(service: &[&Line]) -> String {
    let indent = service.iter().map(|line| line.indent).min().unwrap_or(0);
    let of = |key: &str| {
        let at = service.iter().position(|line| line.indent == indent && line.value_of(key).is_some())?;
        let line = service.get(at)?;
        let block: Vec<&Line> = service
            .iter()
            .skip(at + 1)
            .take_while(|next| next.indent > indent || next.item)
            .copied()
            .collect();
        Some((line.value_of(key).unwrap_or_default(), block))
    };
    let variables = ["environment", "env"].iter().find_map(|key| of(key));
    let variables = variables.map_or_else(Vec::new, |(_, block)| variables_of(&block));
    let image = of("image").map_or("", |(value, _)| value);
    let words: Vec<Said> = ["entrypoint", "command", "args"]
        .iter()
        .filter_map(|key| of(key))
        .flat_map(|(v, b)| said(v, &b))
        .collect();
    if let Some(script) = script(&words) {
        let exports: String = variables.iter().map(|pair| format!("export {}\n", quote(pair))).collect();
        return format!("{exports}{script}");
    }
    let variables = variables.iter().map(|pair| format!("-e {} ", quote(pair)));
    let words: Vec<String> = words.iter().map(Said::written).collect();
    format!("docker run {}{} {}", variables.collect::<String>(), quote(image), words.join(" "))
}

/// A part of what is run.
enum Said {
    /// One word, whatever is in it.
    Word(String),
    /// Words as a shell would split them.
    Text(String),
}

impl Said {
    fn written(&self) -> String {
        match self {
            Self::Word(word) => quote(word),
            Self::Text(text) => text.clone(),
        }
    }
}

/// What a shell among the words is told to run.
fn script(words: &[Said]) -> Option<&str> {
    let at =
        words.iter().position(|word| matches!(word, Said::Word(flag) if flag == "-c" || flag == "-lc"))?;
    let shell = words.get(at.checked_sub(1)?)?;
    match (shell, words.get(at + 1)?) {
        (Said::Word(shell), Said::Word(script) | Said::Text(script)) if shell.ends_with("sh") => Some(script),
        (Said::Word(_) | Said::Text(_), Said::Word(_) | Said::Text(_)) => None,
    }
}

/// The words of a key: a list on the line or under it, or text on the line or under it.
fn said(value: &str, block: &[&Line]) -> Vec<Said> {
    if value.starts_with('[') {
        let whole = std::iter::once(value).chain(block.iter().map(|line| line.text.as_str()));
        return flow(&whole.collect::<Vec<_>>().join(" ")).into_iter().map(Said::Word).collect();
    }
    let text = |line: &&Line| line.text.trim_end_matches('\\').trim_end().to_owned();
    if matches!(value, "|" | "|-" | ">" | ">-") || !value.is_empty() {
        let first = Some(value)
            .filter(|value| !value.starts_with(['|', '>']))
            .map(|value| Said::Text(value.to_owned()));
        return first.into_iter().chain(block.iter().map(|line| Said::Text(text(line)))).collect();
    }
    let mut words: Vec<Said> = Vec::new();
    for line in block {
        match words.last_mut() {
            // Below a list's entry that is a text of lines.
            Some(Said::Text(script)) if !line.item => {
                script.push_str(&line.text);
                script.push('\n');
            }
            Some(Said::Word(_) | Said::Text(_)) | None => words.push(match line.text.as_str() {
                "|" | "|-" | ">" | ">-" => Said::Text(String::new()),
                word => Said::Word(bare(word).to_owned()),
            }),
        }
    }
    words
}

/// The entries of `["a", b, 'c d']`.
fn flow(text: &str) -> Vec<String> {
    let (mut words, mut word, mut mark) = (Vec::new(), String::new(), None);
    for c in text.trim().trim_start_matches('[').trim_end_matches(']').chars() {
        match (mark, c) {
            (Some(open), c) if c == open => mark = None,
            (None, '"' | '\'') if word.trim().is_empty() => mark = Some(c),
            (None, ',') => words.push(std::mem::take(&mut word).trim().to_owned()),
            (None, c) if c.is_whitespace() && word.is_empty() => {}
            (Some(_) | None, c) => word.push(c),
        }
    }
    words.push(word.trim().to_owned());
    words.retain(|word| !word.is_empty());
    words
}

/// `A=B`, `A: B`, or `name: A` with `value: B` below it.
fn variables_of(block: &[&Line]) -> Vec<String> {
    let mut found = Vec::new();
    let mut named: Option<&str> = None;
    for line in block {
        let entry = bare(&line.text);
        match entry.split_once('=').or_else(|| entry.split_once(": ")) {
            Some(("name", name)) => named = Some(bare(name)),
            Some(("value", value)) => {
                found.extend(named.take().map(|name| format!("{name}={}", bare(value))))
            }
            Some((name, value)) => found.push(format!("{}={}", name.trim(), bare(value))),
            None => {}
        }
    }
    found
}

/// Without quotation marks around it.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = |mark: char| text.strip_prefix(mark).and_then(|text| text.strip_suffix(mark));
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::folded_text(
        "services:\n  vllm:\n    image: vllm/vllm-openai:v0.26.0\n    environment:\n      - A=1\n      - B=two\n    command: >\n      --model Qwen/Qwen3-8B\n      --max-model-len 32768\n    ports:\n      - \"8000:8000\"\n",
        "docker run -e A=1 -e B=two vllm/vllm-openai:v0.26.0 --model Qwen/Qwen3-8B --max-model-len 32768"
    )]
    #[case::a_list_and_remarks(
        "    image: x/vllm-openai\n    command:\n      # Model\n      - \"a/b\"\n      - \"--max-model-len\"\n      - \"256000\"\n",
        "docker run x/vllm-openai a/b --max-model-len 256000"
    )]
    #[case::a_list_on_the_line(
        "  containers:\n  - name: server\n    image: ghcr.io/ggml-org/llama.cpp:server\n    args: [\"-m\", \"/m/x.gguf\", '-c', 8192]\n    env:\n    - name: A\n      value: \"1\"\n",
        "docker run -e A=1 ghcr.io/ggml-org/llama.cpp:server -m /m/x.gguf -c 8192"
    )]
    #[case::keys_in_the_order_of_the_alphabet(
        "  containers:\n  - args:\n    - --max-model-len=4096\n    command:\n    - vllm\n    - serve\n    - m\n    image: x/y\n    name: z\n",
        "docker run x/y vllm serve m --max-model-len=4096"
    )]
    #[case::a_shell(
        "    image: x/y\n    command: [\"/bin/sh\", \"-c\"]\n    args:\n      - |\n        vllm serve m \\\n          --max-model-len 4096\n",
        "vllm serve m \\\n--max-model-len 4096\n"
    )]
    #[case::a_variable_with_a_value_of_its_own(
        "    image: x/vllm-openai:${TAG:-latest}\n    command: --model ${MODEL:-Qwen/Qwen3-8B}\n      --block-size 16\n",
        "docker run x/vllm-openai:latest --model Qwen/Qwen3-8B --block-size 16"
    )]
    fn a_service_is_the_line_that_starts_it(#[case] text: &str, #[case] line: &str) {
        assert_eq!(commands(text), [line]);
    }

    #[test]
    fn every_service_is_a_line_of_its_own() {
        let text = "services:\n  ui:\n    image: a/b\n    ports:\n      - 1:1\n  llm:\n    command: serve m\n    image: c/d\n";
        assert_eq!(commands(text), ["docker run a/b ", "docker run c/d serve m"]);
        assert!(commands("vllm serve x --image: y").is_empty());
    }
}
