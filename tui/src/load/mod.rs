//! From what a person typed after `plan` to a model: a catalogue id, or a file of a publisher's.
//!
//! A file is told apart by its first bytes, and never more of a weights file is read than its header.

mod gguf;
mod safetensors;
mod source;

use kvplan_core::engine::EngineName;
use kvplan_core::error::PlanError;
use kvplan_core::plan::{ModelRef, resolve_model};
use kvplan_core::spec::{ModelSpec, SpecFile, catalog, json};
use kvplan_core::unit::Bytes;
use serde_json::Value;
use std::borrow::Cow;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

/// A model, or why there is none.
pub(crate) type Loaded = Result<Cow<'static, ModelSpec>, PlanError>;

/// Configs are kilobytes; one with every tensor of a large quantized model listed has been seen at 3 MB.
const MAX_TEXT: u64 = 64 << 20;

/// The model `text` stands for: a file or folder where one exists at that path, a catalogue id otherwise.
pub(crate) fn model(text: &str) -> Loaded {
    let path = Path::new(text);
    if path.is_file() {
        return file(path);
    }
    if path.is_dir() {
        return file(&path.join("config.json"));
    }
    catalog::find(text).map(Cow::Borrowed)
}

/// The text itself where it is what an engine loads: a GGUF for llama.cpp, a folder for those that load repositories.
pub(crate) fn weights_file(text: &str, engine: EngineName) -> Option<&str> {
    let path = Path::new(text);
    let loads = match engine {
        EngineName::LlamaCpp => path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")),
        EngineName::Payload
        | EngineName::Vllm
        | EngineName::Sglang
        | EngineName::TensorRtLlm
        | EngineName::Transformers
        | EngineName::Mlx
        | EngineName::ExllamaV3 => path.is_dir(),
    };
    (loads && path.exists()).then_some(text)
}

/// The model a file describes, with its weights where they are in it, named after the file where it does not name itself.
pub(crate) fn file(path: &Path) -> Loaded {
    let model = read(path)?;
    Ok(match (&model.record().name, name_of(path)) {
        (None, Some(name)) => Cow::Owned(model.into_owned().named(name)),
        (Some(_), _) | (None, None) => model,
    })
}

fn read(path: &Path) -> Loaded {
    let mut opened = File::open(path).map_err(|e| unreadable(path, &e))?;
    let mut magic = [0; 4];
    let got = opened.read(&mut magic).map_err(|e| unreadable(path, &e))?;
    if got == 4 && magic == *b"GGUF" {
        return gguf::import(path);
    }
    if path.extension().is_some_and(|e| e == "safetensors") {
        return safetensors::import(path);
    }
    if fs::metadata(path).map_err(|e| unreadable(path, &e))?.len() > MAX_TEXT {
        return Err(about(path, "too large for a config, and neither GGUF nor safetensors"));
    }
    let bytes = fs::read(path).map_err(|e| unreadable(path, &e))?;
    if path.extension().is_some_and(|e| e == "toml") {
        let text = std::str::from_utf8(&bytes).map_err(|e| about(path, &e.to_string()))?;
        let record: SpecFile = toml::from_str(text).map_err(|e| about(path, &e.to_string()))?;
        return ModelSpec::try_from(record).map(Cow::Owned);
    }
    let value = json::parse(&bytes).map_err(|e| about(path, &e.to_string()))?;
    if value.get("weight_map").is_some() {
        return safetensors::import_index(path, &bytes);
    }
    resolve_model(&form_of(value))
}

/// What a file says of a model that is not understood, and what its tensors weigh where that can be read; nothing where the
/// file is no model's, or is one that is understood.
pub(crate) fn unread(path: &Path) -> Option<(ModelRef, Option<Bytes>)> {
    let mut magic = [0; 4];
    let begins = File::open(path).ok()?.read(&mut magic).ok()?;
    let (asked, weights) = if begins == 4 && magic == *b"GGUF" {
        gguf::unread(path)?
    } else if path.extension().is_some_and(|e| e == "safetensors") {
        (config(&path.with_file_name("config.json"))?, safetensors::bytes(path))
    } else {
        (config(path)?, safetensors::bytes_beside(path))
    };
    resolve_model(&asked).is_err().then_some((asked, weights))
}

/// What a JSON file says of a model, understood or not; nothing where it is no JSON object.
fn config(path: &Path) -> Option<ModelRef> {
    let value = json::parse(&fs::read(path).ok()?).ok()?;
    (value.is_object() && value.get("weight_map").is_none()).then(|| form_of(value))
}

/// A spec lists its layers as runs, GGUF metadata names an architecture, anything else is a publisher's config.
pub(crate) fn form_of(value: Value) -> ModelRef {
    let is_spec =
        value.get("layers").and_then(Value::as_array).is_some_and(|runs| runs.iter().all(Value::is_object));
    if is_spec {
        return ModelRef::Spec(value);
    }
    let is_metadata = value.get("general.architecture").is_some();
    match (is_metadata, value.as_object()) {
        (true, Some(map)) => ModelRef::Gguf(map.clone()),
        (true, None) | (false, _) => ModelRef::Hf(value),
    }
}

/// What to call a model whose file does not: the file's name, or its folder's for a `config.json`.
fn name_of(path: &Path) -> Option<String> {
    let stem = path.file_stem()?.to_str()?;
    let generic = matches!(stem, "config" | "model" | "model.safetensors.index");
    let folder = path.parent().and_then(Path::file_name).and_then(|f| f.to_str());
    Some(if generic { folder.unwrap_or(stem) } else { stem }.to_owned())
}

/// A file the system would not give.
fn unreadable(path: &Path, error: &std::io::Error) -> PlanError {
    about(path, &error.to_string())
}

/// A refusal about a whole file.
fn about(path: &Path, message: &str) -> PlanError {
    let shown = path.display().to_string();
    PlanError::invalid("model", format!("{shown}: {message}")).with_value(shown)
}
