//! Where header bytes come from: a slice, a file, a slice of a browser's blob. Core opens nothing itself.

/// Random access to a file's bytes.
///
/// The readers ask for windows of at most [`WINDOW`] bytes, in rising order, and never past the window that holds the
/// end of the header: tensor data is not read.
pub trait ByteSource {
    /// Length of the whole file in bytes.
    fn len(&self) -> u64;

    /// Whether the file is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies bytes from `offset` on into `buf` and says how many; fewer than asked is allowed, 0 is the end.
    ///
    /// # Errors
    /// [`SourceError`] when the bytes cannot be had.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, SourceError>;
}

/// Most bytes asked of a [`ByteSource`] at once.
pub const WINDOW: usize = 256 * 1024;

/// Bytes that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The file has them, but only a prefix of it was fetched: fetch more and parse again.
    #[error("only the first {have} bytes were fetched")]
    NotFetched {
        /// Bytes fetched so far.
        have: u64,
    },
    /// The operating system or the browser failed.
    #[error("{0}")]
    Failed(String),
}

impl ByteSource for &[u8] {
    fn len(&self) -> u64 {
        u64::try_from(<[u8]>::len(self)).unwrap_or(u64::MAX)
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, SourceError> {
        Ok(copy_from(self, offset, buf))
    }
}

/// The first bytes of a longer file, for fronts that fetch asynchronously (a browser's blob, a range request): parse,
/// and where the answer is [`SourceError::NotFetched`] or an error that carries it, fetch a longer prefix.
#[derive(Debug, Clone, Copy)]
pub struct Prefix<'a> {
    /// The bytes fetched, from the file's start.
    pub bytes: &'a [u8],
    /// Length of the whole file.
    pub file_len: u64,
}

impl ByteSource for Prefix<'_> {
    fn len(&self) -> u64 {
        self.file_len
    }

    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> Result<usize, SourceError> {
        let copied = copy_from(self.bytes, offset, buf);
        if copied == 0 && !buf.is_empty() && offset < self.file_len {
            return Err(SourceError::NotFetched { have: ByteSource::len(&self.bytes) });
        }
        Ok(copied)
    }
}

fn copy_from(bytes: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let tail = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let n = tail.len().min(buf.len());
    if let (Some(to), Some(from)) = (buf.get_mut(..n), tail.get(..n)) {
        to.copy_from_slice(from);
    }
    n
}
