//! From what a person typed after `plan` to a model: a catalogue id, or a file of a publisher's.

use kvplan_core::error::PlanError;
use kvplan_core::plan::{ModelRef, resolve_model};
use kvplan_core::spec::{ModelSpec, SpecFile, catalog};
use serde_json::Value;
use std::borrow::Cow;
use std::fs;
use std::path::Path;

/// Why a model could not be had.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// It was read, and cannot be planned.
    Plan(PlanError),
    /// The file could not be read.
    Io(std::io::Error, String),
}

impl From<PlanError> for LoadError {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl LoadError {
    /// The refusal as the contract words it.
    pub(crate) fn into_plan_error(self) -> PlanError {
        match self {
            Self::Plan(error) => error,
            Self::Io(error, path) => PlanError::invalid("model", format!("{path}: {error}")).with_value(path),
        }
    }
}

/// The model `text` stands for: a file where one exists at that path, a catalogue id otherwise.
pub(crate) fn model(text: &str) -> Result<Cow<'static, ModelSpec>, LoadError> {
    let path = Path::new(text);
    if path.is_file() {
        return file(path);
    }
    if path.is_dir() {
        return file(&path.join("config.json"));
    }
    Ok(catalog::find(text).map(Cow::Borrowed)?)
}

/// The model a file describes, told apart by its first bytes rather than its name.
pub(crate) fn file(path: &Path) -> Result<Cow<'static, ModelSpec>, LoadError> {
    let shown = path.display().to_string();
    let bytes = fs::read(path).map_err(|e| LoadError::Io(e, shown.clone()))?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(
            PlanError::invalid("model", format!("{shown} is neither text nor a known binary form")).into()
        );
    };
    if path.extension().is_some_and(|e| e == "toml") {
        let record: SpecFile =
            toml::from_str(text).map_err(|e| PlanError::invalid("model", format!("{shown}: {e}")))?;
        return Ok(Cow::Owned(ModelSpec::try_from(record).map_err(|e| e.within(&shown))?));
    }
    let value: Value = serde_json::from_str(text)
        .map_err(|e| PlanError::invalid("model", format!("{shown}: not JSON: {e}")))?;
    let form = if value.get("layers").is_some_and(Value::is_array) {
        ModelRef::Spec(value)
    } else {
        ModelRef::Hf(value)
    };
    Ok(resolve_model(&form)?)
}
