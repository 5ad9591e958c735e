//! GGUF files.

use super::Loaded;
use kvplan_core::error::PlanError;
use std::path::Path;

/// Refuses: llama.cpp's rules for what a header means are not here yet.
pub(super) fn import(path: &Path) -> Loaded {
    let shown = path.display().to_string();
    Err(PlanError::unsupported("model", format!("{shown}: GGUF files are not read yet")).with_value(shown))
}
