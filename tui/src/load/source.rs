//! A file as the readers of core want one.

use kvplan_core::spec::source::{ByteSource, SourceError};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// An open file and its length.
#[derive(Debug)]
pub(super) struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl ByteSource for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, SourceError> {
        let failed = |e: std::io::Error| SourceError::Failed(e.to_string());
        self.file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        self.file.read(buf).map_err(failed)
    }
}
