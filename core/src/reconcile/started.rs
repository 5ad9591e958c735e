//! The command line that people paste above the log it printed: it names the model, and says what the log leaves out.

use crate::engine::EngineName;
use crate::launch::{Reading, read};
use crate::plan::ModelRef;
use serde_json::{Map, Value};

/// What a line that starts an engine must hold.
const MARKS: [&str; 7] = [
    "vllm serve",
    "vllm.entrypoints",
    "vllm-openai",
    "sglang.launch_server",
    "sglang serve",
    "llama-server",
    "llama-cli",
];

/// A command line found in a log.
#[derive(Debug)]
pub(super) struct Started {
    pub engine: EngineName,
    pub model: Option<String>,
    pub options: Map<String, Value>,
    /// Tokens of the longest request.
    pub context: Option<u64>,
}

impl Started {
    /// The first command line in the log that can be read, its continued lines joined.
    pub(super) fn find(lines: &[String]) -> Option<Self> {
        let mut text = String::new();
        for line in lines {
            // Prompts and quotation marks of the page it was pasted to.
            let line = line.trim_start_matches(['$', '#', '>', '`', ' ']).trim_end_matches(['`', ' ']);
            text.push_str(line);
            text.push('\n');
            if line.ends_with(['\\', '^']) {
                continue;
            }
            if MARKS.iter().any(|mark| text.contains(mark))
                && let Some(found) = read(&text).ok().and_then(Self::of)
            {
                return Some(found);
            }
            text.clear();
        }
        None
    }

    fn of(reading: Reading) -> Option<Self> {
        let request = reading.request;
        let engine = request.engine?;
        let model = match request.model {
            ModelRef::Id(name) => Some(name),
            ModelRef::Hf(_) | ModelRef::Gguf(_) | ModelRef::Spec(_) => None,
        };
        let asked = engine.options.get("max_model_len").and_then(Value::as_u64);
        Some(Self { engine: engine.name, model, options: engine.options, context: request.context.or(asked) })
    }

    /// Adds to a log's names and options what it does not say itself.
    pub(super) fn complete(&self, names: &mut Vec<String>, options: &mut Map<String, Value>) {
        names.extend(self.model.clone());
        for (name, value) in &self.options {
            options.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}
