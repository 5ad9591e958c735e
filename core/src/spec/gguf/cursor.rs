//! A forward walk over a [`ByteSource`] through one bounded window.

use super::error::{Fault, GgufError};
use crate::spec::source::{ByteSource, WINDOW};

/// Byte order of a file's integers and floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

pub(super) struct Cursor<'s> {
    source: &'s mut dyn ByteSource,
    len: u64,
    /// File offset of the window's first byte.
    base: u64,
    window: Vec<u8>,
    /// Position inside the window; skips may lead past its end.
    pos: u64,
    pub(super) endian: Endian,
}

macro_rules! number {
    ($($name:ident: $t:ty),*) => {$(
        pub(super) fn $name(&mut self) -> Result<$t, GgufError> {
            let raw = self.take()?;
            Ok(match self.endian {
                Endian::Little => <$t>::from_le_bytes(raw),
                Endian::Big => <$t>::from_be_bytes(raw),
            })
        }
    )*};
}

impl<'s> Cursor<'s> {
    pub(super) fn new(source: &'s mut dyn ByteSource) -> Self {
        let len = source.len();
        Self { source, len, base: 0, window: Vec::new(), pos: 0, endian: Endian::Little }
    }

    number!(u8: u8, i8: i8, u16: u16, i16: i16, u32: u32, i32: i32, u64: u64, i64: i64, f32: f32, f64: f64);

    pub(super) const fn at(&self) -> u64 {
        self.base.saturating_add(self.pos)
    }

    pub(super) const fn file_len(&self) -> u64 {
        self.len
    }

    pub(super) const fn remaining(&self) -> u64 {
        self.len.saturating_sub(self.at())
    }

    pub(super) const fn fail<T>(&self, fault: Fault) -> Result<T, GgufError> {
        Err(GgufError::new(self.at(), fault))
    }

    /// The next `N` bytes.
    pub(super) fn take<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        loop {
            let start = usize::try_from(self.pos).unwrap_or(usize::MAX);
            if let Some(raw) = self.window.get(start..).and_then(<[u8]>::first_chunk) {
                self.pos = self.pos.saturating_add(u64::try_from(N).unwrap_or(u64::MAX));
                return Ok(*raw);
            }
            self.fill(N)?;
        }
    }

    /// Moves on without reading; the bytes must exist in the file.
    pub(super) const fn skip(&mut self, n: u64) -> Result<(), GgufError> {
        let remaining = self.remaining();
        if n > remaining {
            return self.fail(Fault::Truncated { wanted: n, remaining });
        }
        self.pos = self.pos.saturating_add(n);
        Ok(())
    }

    /// The next `n` bytes as text. The caller bounds `n`.
    pub(super) fn text(&mut self, n: u64) -> Result<String, GgufError> {
        let at = self.at();
        let remaining = self.remaining();
        let too_long = || GgufError::new(at, Fault::Truncated { wanted: n, remaining });
        if n > remaining {
            return Err(too_long());
        }
        let mut left = usize::try_from(n).map_err(|_| too_long())?;
        let mut raw = Vec::with_capacity(left);
        while left > 0 {
            let start = usize::try_from(self.pos).unwrap_or(usize::MAX);
            let here = self.window.get(start..).unwrap_or_default();
            let here = here.get(..left).unwrap_or(here);
            if here.is_empty() {
                self.fill(1)?;
                continue;
            }
            raw.extend_from_slice(here);
            left = left.saturating_sub(here.len());
            self.pos = self.pos.saturating_add(u64::try_from(here.len()).unwrap_or(u64::MAX));
        }
        String::from_utf8(raw).map_err(|_| GgufError::new(at, Fault::Utf8))
    }

    /// A count of things of at least `min` bytes each, refused where the file cannot hold them.
    pub(super) fn count(&mut self, what: &'static str, min: u64) -> Result<u64, GgufError> {
        let count = self.u64()?;
        let remaining = self.remaining();
        match count.checked_mul(min) {
            Some(bytes) if bytes <= remaining => Ok(count),
            _ => self.fail(Fault::Count { what, count, remaining }),
        }
    }

    /// Moves the window to the current position and reads until it holds `need` bytes.
    fn fill(&mut self, need: usize) -> Result<(), GgufError> {
        let at = self.at();
        let remaining = self.remaining();
        let wanted = u64::try_from(need).unwrap_or(u64::MAX);
        if wanted > remaining {
            return self.fail(Fault::Truncated { wanted, remaining });
        }
        let size = usize::try_from(remaining).map_or(WINDOW, |n| n.min(WINDOW));
        self.base = at;
        self.pos = 0;
        self.window.resize(size, 0);
        let mut filled: usize = 0;
        while filled < need {
            let offset = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            let free = self.window.get_mut(filled..).unwrap_or_default();
            let free_len = free.len();
            let read = self
                .source
                .read_at(offset, free)
                .map_err(|e| GgufError::source(at, at.saturating_add(wanted), e))?;
            if read == 0 {
                return self.fail(Fault::Truncated { wanted, remaining: u64::try_from(filled).unwrap_or(0) });
            }
            // A source that claims more than it was asked for is held to what was asked.
            filled = filled.saturating_add(read.min(free_len));
        }
        self.window.truncate(filled);
        Ok(())
    }
}
