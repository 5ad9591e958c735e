//! One carried file, as the rules see it.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;

/// A file of the repository.
pub(super) struct Carried {
    /// Relative to the root, with forward slashes.
    pub(super) path: String,
    /// Bytes in the repository, before any unpacking.
    pub(super) size: u64,
    /// The content if it is text, a gzip file's unpacked; `None` for other binary files.
    pub(super) text: Option<String>,
}

impl Carried {
    /// Reads `path`; `None` if it is a link or was deleted since git listed it.
    pub(super) fn read(path: &str) -> Result<Option<Carried>> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot look at {path}")),
        };
        let raw = fs::read(path).with_context(|| format!("cannot read {path}"))?;
        let content =
            if is_gzip(path) { unpack(&raw).with_context(|| format!("cannot unpack {path}"))? } else { raw };
        let text = String::from_utf8(content).ok();
        Ok(Some(Carried { path: path.to_owned(), size: metadata.len(), text }))
    }
}

fn is_gzip(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "gz")
}

fn unpack(raw: &[u8]) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    MultiGzDecoder::new(raw).read_to_end(&mut content)?;
    Ok(content)
}
