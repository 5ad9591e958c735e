//! GGUF files: the header of one, or of every part of a split model found beside it.

use super::source::FileSource;
use super::{Loaded, about, unreadable};
use kvplan_core::error::PlanError;
use kvplan_core::plan::ModelRef;
use kvplan_core::spec::ModelSpec;
use kvplan_core::spec::gguf;
use kvplan_core::unit::Bytes;
use kvplan_core::weights::{TableUse, of_file};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Reads the headers and understands the model.
pub(super) fn import(path: &Path) -> Loaded {
    let merged = headers(path)?;
    let record = gguf::spec_file(&merged.metadata)?;
    let model = ModelSpec::try_from(record)?;
    let architecture = merged.metadata.architecture()?;
    let used = TableUse {
        layers: u64::try_from(model.layer_count()).ok(),
        experts_used: merged.metadata.opt_u64(&format!("{architecture}.expert_used_count"))?,
    };
    let weights = of_file(&merged.tensors, used)?;
    // Metadata alone has no weights to count.
    let empty = merged.tensors.tensors().is_empty();
    Ok(Cow::Owned(if empty { model } else { model.with_weights(weights) }))
}

/// All headers of a model as one.
fn headers(path: &Path) -> Result<gguf::Header, PlanError> {
    let first = header(path)?;
    match first.part()? {
        None | Some(gguf::Part { count: 0 | 1, .. }) => Ok(first),
        Some(part) => {
            let headers =
                siblings(path, part.count)?.iter().map(|p| header(p)).collect::<Result<Vec<_>, _>>()?;
            gguf::merge(headers).map_err(|e| about(path, &e.to_string()))
        }
    }
}

/// The metadata as a request carries them, and what the tensors weigh.
pub(super) fn unread(path: &Path) -> Option<(ModelRef, Option<Bytes>)> {
    let header = headers(path).ok()?;
    let bytes = Some(header.tensors.bytes()).filter(|bytes| *bytes > Bytes::ZERO);
    Some((ModelRef::Gguf(header.metadata.to_json()), bytes))
}

fn header(path: &Path) -> Result<gguf::Header, PlanError> {
    let mut source = FileSource::open(path).map_err(|e| unreadable(path, &e))?;
    gguf::read(&mut source).map_err(|e| about(path, &e.to_string()))
}

/// The files of a split model, `NAME-00001-of-00003.gguf` and so on, in order.
fn siblings(path: &Path, count: u64) -> Result<Vec<PathBuf>, PlanError> {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let suffix = format!("-of-{count:05}.gguf");
    let base = name
        .strip_suffix(&suffix)
        .and_then(|stem| stem.split_at_checked(stem.len().checked_sub(6)?))
        .map(|(base, _)| base)
        .ok_or_else(|| about(path, &format!("part of a split model, but not named NAME-00001{suffix}")))?;
    Ok((1..=count).map(|no| path.with_file_name(format!("{base}-{no:05}{suffix}"))).collect())
}
