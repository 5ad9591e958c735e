//! One file's header.

use super::dtype::Dtype;
use super::strict::Unique;
use crate::error::PlanError;
use crate::spec::source::{ByteSource, SourceError, WINDOW};
use crate::spec::tensors::{StoredType, TableError, Tensor, TensorTable};
use crate::unit::{Bytes, Elements};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Longest header that is read, the format's own limit.
pub const MAX_HEADER: u64 = 100_000_000;

const LENGTH_BYTES: u64 = 8;

/// What a safetensors file says before its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `__metadata__`.
    pub metadata: BTreeMap<String, String>,
    /// The tensors in the order of their data.
    pub tensors: TensorTable,
    /// The length field and the JSON.
    pub header_bytes: Bytes,
    /// Tensor data that lies past the end of the file: more than zero when the file is only a beginning.
    pub missing_bytes: Bytes,
}

/// A safetensors header that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SafetensorsError {
    /// The file ends inside the header.
    #[error("the file ends inside the safetensors header: {need} bytes are needed, it has {have}")]
    Truncated {
        /// Bytes of length field and header.
        need: u64,
        /// Bytes of the file.
        have: u64,
    },
    /// Only a prefix of the file was fetched.
    #[error("the header is longer than the {have} bytes fetched: {need} are needed")]
    NotFetched {
        /// Bytes fetched.
        have: u64,
        /// Length of the prefix that holds the header.
        need: u64,
    },
    /// The source failed.
    #[error("{0}")]
    Source(String),
    /// The length field is past the format's limit.
    #[error("a safetensors header of {0} bytes; the format allows {MAX_HEADER}")]
    TooLong(u64),
    /// The header does not start with `{`.
    #[error("not a safetensors file: its header does not start with \"{{\"")]
    NotAnObject,
    /// The header is no JSON of the format.
    #[error("the safetensors header is malformed: {0}")]
    Malformed(String),
    /// A tensor contradicts itself or its neighbours.
    #[error("tensor {name:?}: {fault}")]
    Tensor {
        /// Its name.
        name: String,
        /// What is wrong.
        fault: String,
    },
    /// Data follows the last tensor.
    #[error("{0} bytes follow the last tensor's data; the format allows none")]
    Trailing(u64),
}

impl From<SafetensorsError> for PlanError {
    fn from(error: SafetensorsError) -> Self {
        let message = error.to_string();
        match error {
            SafetensorsError::Tensor { name, .. } => Self::invalid(name, message),
            SafetensorsError::Truncated { .. }
            | SafetensorsError::NotFetched { .. }
            | SafetensorsError::Source(_)
            | SafetensorsError::TooLong(_)
            | SafetensorsError::NotAnObject
            | SafetensorsError::Malformed(_)
            | SafetensorsError::Trailing(_) => Self::invalid("", message),
        }
    }
}

/// Reads a header from a file; the data is not read.
///
/// # Errors
/// [`SafetensorsError`].
pub fn read(source: &mut dyn ByteSource) -> Result<Header, SafetensorsError> {
    let file_len = source.len();
    let mut length = [0; 8];
    read_exact(source, 0, &mut length, LENGTH_BYTES)?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(SafetensorsError::TooLong(length));
    }
    let need = LENGTH_BYTES.saturating_add(length);
    let truncated = SafetensorsError::Truncated { need, have: file_len };
    if need > file_len {
        return Err(truncated);
    }
    let length = usize::try_from(length).map_err(|_| truncated)?;
    // Grown as the bytes arrive: a file's length may be a claim, too.
    let mut json = Vec::new();
    while json.len() < length {
        let filled = json.len();
        json.resize(length.min(filled.saturating_add(WINDOW)), 0);
        let at = LENGTH_BYTES.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        read_exact(source, at, json.get_mut(filled..).unwrap_or_default(), need)?;
    }
    parse(&json, file_len)
}

fn read_exact(
    source: &mut dyn ByteSource,
    at: u64,
    buf: &mut [u8],
    need: u64,
) -> Result<(), SafetensorsError> {
    let mut filled: usize = 0;
    while filled < buf.len() {
        let offset = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        let free = buf.get_mut(filled..).unwrap_or_default();
        let free_len = free.len();
        let read = source.read_at(offset, free).map_err(|e| match e {
            SourceError::NotFetched { have } => SafetensorsError::NotFetched { have, need },
            SourceError::Failed(message) => SafetensorsError::Source(message),
        })?;
        if read == 0 {
            return Err(SafetensorsError::Truncated { need, have: offset });
        }
        filled = filled.saturating_add(read.min(free_len));
    }
    Ok(())
}

/// A tensor as the header writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// The header's JSON: `__metadata__` beside the tensors.
struct Entries {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, Entry)>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut metadata: Option<Unique<String>> = None;
        let mut tensors = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if key != "__metadata__" {
                tensors.push((key, map.next_value()?));
            } else if metadata.replace(map.next_value()?).is_some() {
                return Err(A::Error::custom("__metadata__ occurs twice"));
            }
        }
        Ok(Entries { metadata: metadata.map(|Unique(m)| m).unwrap_or_default(), tensors })
    }
}

/// Reads a header's JSON, of a file of `file_len` bytes in all.
///
/// # Errors
/// [`SafetensorsError`]: holes, overlaps, repeated names, sizes that do not follow from dtype and shape, data past the
/// last tensor. A file that ends inside the data is none: [`Header::missing_bytes`] says so.
pub fn parse(json: &[u8], file_len: u64) -> Result<Header, SafetensorsError> {
    if json.first() != Some(&b'{') {
        return Err(SafetensorsError::NotAnObject);
    }
    let Entries { metadata, mut tensors } =
        serde_json::from_slice(json).map_err(|e| SafetensorsError::Malformed(e.to_string()))?;
    tensors.sort_by_key(|(_, entry)| entry.data_offsets);

    let mut end: u64 = 0;
    let mut table = Vec::with_capacity(tensors.len());
    for (name, entry) in tensors {
        match tensor(&name, &entry, end) {
            Ok((elements, bytes)) => table.push(Tensor {
                name,
                shape: entry.shape,
                stored: StoredType::Safetensors(entry.dtype),
                elements,
                bytes,
            }),
            Err(fault) => return Err(SafetensorsError::Tensor { name, fault }),
        }
        end = entry.data_offsets.1;
    }
    let tensors = TensorTable::new(table).map_err(|e| match e {
        TableError::Duplicate(name) => {
            SafetensorsError::Tensor { name, fault: "it is listed twice".to_owned() }
        }
        TableError::Overflow(_) => SafetensorsError::Malformed(e.to_string()),
    })?;

    let header_bytes = LENGTH_BYTES.saturating_add(u64::try_from(json.len()).unwrap_or(u64::MAX));
    let whole = header_bytes
        .checked_add(end)
        .ok_or_else(|| SafetensorsError::Malformed("its data exceeds 64 bits".to_owned()))?;
    match file_len.checked_sub(whole) {
        Some(0) | None => Ok(Header {
            metadata,
            tensors,
            header_bytes: Bytes::new(header_bytes),
            missing_bytes: Bytes::new(whole.saturating_sub(file_len)),
        }),
        Some(extra) => Err(SafetensorsError::Trailing(extra)),
    }
}

/// Elements and bytes of a tensor whose data must start at `expected`.
fn tensor(name: &str, entry: &Entry, expected: u64) -> Result<(Elements, Bytes), String> {
    let (start, end) = entry.data_offsets;
    if name.is_empty() {
        return Err("it has no name".to_owned());
    }
    if start != expected {
        return Err(format!("its data starts at {start}; the tensor before ends at {expected}"));
    }
    let found = end
        .checked_sub(start)
        .ok_or_else(|| format!("its data ends at {end}, before it starts at {start}"))?;
    let elements = entry.shape.iter().try_fold(1u64, |n, d| n.checked_mul(*d));
    let bits = elements.and_then(|n| n.checked_mul(entry.dtype.bits()));
    let (Some(elements), Some(bits)) = (elements, bits) else {
        return Err("its size exceeds 64 bits".to_owned());
    };
    if !bits.is_multiple_of(8) {
        return Err(format!("{elements} elements of {} are no whole number of bytes", entry.dtype.name()));
    }
    let bytes = bits.div_euclid(8);
    if bytes != found {
        return Err(format!(
            "shape {:?} of {} needs {bytes} bytes; its data_offsets span {found}",
            entry.shape,
            entry.dtype.name()
        ));
    }
    Ok((Elements::new(elements), Bytes::new(bytes)))
}
