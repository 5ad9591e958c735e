//! Models split over several files (`gguf-split`): one header out of all parts.

use super::header::Header;
use super::metadata::MetadataError;
use crate::error::PlanError;
use crate::spec::tensors::{TableError, TensorTable};
use crate::unit::Overflow;

const NO: &str = "split.no";
const COUNT: &str = "split.count";
const TENSORS: &str = "split.tensors.count";

/// Which part of a split model a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// `split.no`, from 0.
    pub no: u64,
    /// `split.count`.
    pub count: u64,
    /// `split.tensors.count`: tensors of all parts.
    pub tensors: u64,
}

/// Parts that do not make a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A `split.*` key is absent or malformed.
    #[error(transparent)]
    Key(#[from] MetadataError),
    /// No part at all.
    #[error("no part was given")]
    Empty,
    /// Files that are not split, given together.
    #[error("{0} files without split keys were given as one model")]
    NotSplit(usize),
    /// The parts disagree on a figure of the whole.
    #[error("parts disagree on {key}: {one} and {other}")]
    Mismatch {
        /// The key.
        key: &'static str,
        /// One part's figure.
        one: u64,
        /// Another's.
        other: u64,
    },
    /// A part is missing.
    #[error("part {} of {count} is missing", no.saturating_add(1))]
    Missing {
        /// Its `split.no`.
        no: u64,
        /// Parts of the whole.
        count: u64,
    },
    /// A part that was given already, or whose number is past the count.
    #[error("an unexpected part: split.no {no} of {count}")]
    Unexpected {
        /// Its `split.no`.
        no: u64,
        /// Parts of the whole.
        count: u64,
    },
    /// The parts' tensors are more or fewer than announced.
    #[error("the parts hold {found} tensors; split.tensors.count says {announced}")]
    Tensors {
        /// Tensors of all parts.
        found: u64,
        /// Tensors announced.
        announced: u64,
    },
    /// Versions, byte order, or the tensor names of the parts clash.
    #[error("the parts do not belong together: {0}")]
    Clash(String),
    /// The totals exceed 64 bits.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl From<SplitError> for PlanError {
    fn from(error: SplitError) -> Self {
        let field = match &error {
            SplitError::Key(inner) => return inner.clone().into(),
            SplitError::Overflow(inner) => return (*inner).into(),
            SplitError::Mismatch { key, .. } => key,
            SplitError::Unexpected { .. } | SplitError::Missing { .. } => NO,
            SplitError::NotSplit(_) => COUNT,
            SplitError::Tensors { .. } => TENSORS,
            SplitError::Empty | SplitError::Clash(_) => "gguf",
        };
        Self::invalid(field, error.to_string())
    }
}

impl Header {
    /// Which part of a split model this is, `None` where it is whole.
    ///
    /// # Errors
    /// [`MetadataError`] where some `split.*` keys are there and others are absent or malformed.
    pub fn part(&self) -> Result<Option<Part>, MetadataError> {
        // An unsplit file has no `split.count`, or one of 0 (llama.cpp, `n_split > 1`).
        match self.metadata.opt_u64(COUNT)? {
            None | Some(0) => Ok(None),
            Some(count) => {
                Ok(Some(Part { no: self.metadata.u64(NO)?, count, tensors: self.metadata.u64(TENSORS)? }))
            }
        }
    }
}

/// One header out of those of all parts, in any order; a whole model passes unchanged.
///
/// # Errors
/// [`SplitError`] on a missing, repeated or foreign part.
pub fn merge(mut parts: Vec<Header>) -> Result<Header, SplitError> {
    let given = parts.len();
    let mut numbered = Vec::with_capacity(given);
    while let Some(header) = parts.pop() {
        match header.part()? {
            Some(part) => numbered.push((part, header)),
            None if given == 1 => return Ok(header),
            None => return Err(SplitError::NotSplit(given)),
        }
    }
    numbered.sort_by_key(|(part, _)| part.no);
    check(&numbered)?;

    let mut headers = numbered.into_iter();
    let (whole, first) = headers.next().ok_or(SplitError::Empty)?;
    let Header { version, endian, metadata, tensors, mut header_bytes, mut data_bytes, mut missing_bytes } =
        first;
    let mut tensors = tensors.into_tensors();
    for (part, next) in headers {
        if (next.version, next.endian) != (version, endian) {
            return Err(SplitError::Clash(format!("split.no {} has another version or byte order", part.no)));
        }
        header_bytes = header_bytes.plus(next.header_bytes)?;
        data_bytes = data_bytes.plus(next.data_bytes)?;
        missing_bytes = missing_bytes.plus(next.missing_bytes)?;
        tensors.extend(next.tensors.into_tensors());
    }
    let found = u64::try_from(tensors.len()).map_err(|_| Overflow)?;
    if found != whole.tensors {
        return Err(SplitError::Tensors { found, announced: whole.tensors });
    }
    let tensors = TensorTable::new(tensors).map_err(|e| match e {
        TableError::Duplicate(_) => SplitError::Clash(e.to_string()),
        TableError::Overflow(overflow) => overflow.into(),
    })?;
    Ok(Header { version, endian, metadata, tensors, header_bytes, data_bytes, missing_bytes })
}

/// The parts, sorted by number, are 0, 1, … count − 1 of one model.
fn check(parts: &[(Part, Header)]) -> Result<(), SplitError> {
    let (whole, _) = parts.first().ok_or(SplitError::Empty)?;
    let mut expected: u64 = 0;
    for (part, _) in parts {
        for (key, one, other) in [(COUNT, whole.count, part.count), (TENSORS, whole.tensors, part.tensors)] {
            if one != other {
                return Err(SplitError::Mismatch { key, one, other });
            }
        }
        if part.no < expected || part.no >= whole.count {
            return Err(SplitError::Unexpected { no: part.no, count: whole.count });
        }
        if part.no > expected {
            return Err(SplitError::Missing { no: expected, count: whole.count });
        }
        expected = expected.checked_add(1).ok_or(Overflow)?;
    }
    if expected < whole.count {
        return Err(SplitError::Missing { no: expected, count: whole.count });
    }
    Ok(())
}
