//! The model that was used last, which the next first open shows: one line in a file of the user's state folder.

use kvplan_core::plan::ModelRef;
use kvplan_core::planner::Planner;
use kvplan_core::spec::catalog;
use std::path::{Path, PathBuf};

/// What was used last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Last {
    /// A catalogued model.
    Id(String),
    /// A file.
    File(String),
}

/// Where it is kept: `$XDG_STATE_HOME/kvplan/model`, `~/.local/state/…` where that is not set.
pub(crate) fn path(variable: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local").join("state")))?;
    Some(folder.join("kvplan").join("model"))
}

/// What was kept; nothing where it is gone or means nothing any more.
pub(crate) fn read(path: &Path) -> Option<Last> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    if let Ok(model) = catalog::find(line) {
        return Some(Last::Id(model.id().to_owned()));
    }
    Path::new(line).is_file().then(|| Last::File(line.to_owned()))
}

/// The line of what is set; nothing for a model that only a link carries.
fn line(planner: &Planner) -> Option<String> {
    match &planner.state().request.model {
        ModelRef::Id(id) => planner.model().is_ok().then(|| id.clone()),
        ModelRef::Hf(_) | ModelRef::Gguf(_) | ModelRef::Spec(_) => {
            let path = std::fs::canonicalize(planner.file()?).ok()?;
            path.to_str().map(str::to_owned)
        }
    }
}

/// Keeps what is set. Where that cannot be written, the next first open shows what it would have shown.
pub(crate) fn write(path: &Path, planner: &Planner) {
    let Some(line) = line(planner) else { return };
    if let Some(folder) = path.parent() {
        let _ = std::fs::create_dir_all(folder);
    }
    let _ = std::fs::write(path, line + "\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvplan_core::planner::State;

    #[test]
    fn the_model_that_was_used_last_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kvplan").join("model");
        assert_eq!(read(&path), None);
        write(&path, &Planner::new(State::of_model("gpt-oss-20b")));
        assert_eq!(read(&path), Some(Last::Id("gpt-oss-20b".to_owned())));
        // What is not understood is not kept.
        write(&path, &Planner::new(State::of_model("no such model")));
        assert_eq!(read(&path), Some(Last::Id("gpt-oss-20b".to_owned())));
    }

    #[test]
    fn a_file_that_is_gone_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        std::fs::write(&path, "/nowhere/at-all.gguf\n").unwrap();
        assert_eq!(read(&path), None);
        std::fs::write(&path, format!("{}\n", path.display())).unwrap();
        assert_eq!(read(&path), Some(Last::File(path.display().to_string())));
    }
}
