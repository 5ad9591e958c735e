//! The header: magic, version, metadata, tensor table, and where the data lies.

use super::cursor::{Cursor, Endian};
use super::error::{Fault, GgufError};
use super::ggml_type::GgmlType;
use super::metadata::Metadata;
use super::value::read_value;
use crate::spec::source::ByteSource;
use crate::spec::tensors::{StoredType, TableError, Tensor, TensorTable};
use crate::unit::{Bytes, Elements};

/// Alignment of tensor data where `general.alignment` is absent (`GGUF_DEFAULT_ALIGNMENT`).
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_NAME: u64 = 65535;
const MAX_DIMENSIONS: u32 = 4;
/// Shortest entries: a key length, a value type and one byte; a name length, no dimensions, a type and an offset.
const MIN_ENTRY: u64 = 13;
const MIN_TENSOR: u64 = 24;

/// What a GGUF file, or all parts of a split one, say before the tensor data.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Format version, 2 or 3.
    pub version: u32,
    /// Byte order.
    pub endian: Endian,
    /// The metadata; of a split model that of its first part.
    pub metadata: Metadata,
    /// The tensors, with the bytes of each.
    pub tensors: TensorTable,
    /// Magic to the end of the tensor table.
    pub header_bytes: Bytes,
    /// The tensor data with its padding: each tensor is padded to the alignment.
    pub data_bytes: Bytes,
    /// Tensor data that lies past the end of the file: more than zero when the file is only a beginning.
    pub missing_bytes: Bytes,
}

/// Reads a header, and nothing past the window that holds its end.
///
/// # Errors
/// [`GgufError`] with the byte offset, and the key or tensor where there is one.
pub fn read(source: &mut dyn ByteSource) -> Result<Header, GgufError> {
    let mut cursor = Cursor::new(source);
    let version = read_version(&mut cursor)?;
    let tensor_count = cursor.count("tensors", MIN_TENSOR).map_err(|e| e.about("tensor count"))?;
    let key_count = cursor.count("metadata keys", MIN_ENTRY).map_err(|e| e.about("key count"))?;
    let metadata = read_metadata(&mut cursor, key_count)?;
    let alignment = alignment(&cursor, &metadata)?;
    let (tensors, data_bytes) = read_tensors(&mut cursor, tensor_count, alignment)?;

    let header_bytes = cursor.at();
    let end = header_bytes
        .checked_next_multiple_of(alignment)
        .and_then(|start| start.checked_add(data_bytes))
        .ok_or_else(|| GgufError::new(header_bytes, Fault::Overflow))?;
    // The last tensor's padding may be cut off without harm, but its bytes are counted whole.
    let missing = if tensors.tensors().is_empty() { 0 } else { end.saturating_sub(cursor.file_len()) };
    Ok(Header {
        version,
        endian: cursor.endian,
        metadata,
        tensors,
        header_bytes: Bytes::new(header_bytes),
        data_bytes: Bytes::new(data_bytes),
        missing_bytes: Bytes::new(missing),
    })
}

/// The version field also tells the byte order: read the wrong way round, its low half is zero.
fn read_version(cursor: &mut Cursor<'_>) -> Result<u32, GgufError> {
    let magic = cursor.take::<4>()?;
    if &magic != b"GGUF" {
        return Err(GgufError::new(0, Fault::Magic(magic)));
    }
    let raw = cursor.u32()?;
    let version = if raw.trailing_zeros() >= 16 {
        cursor.endian = Endian::Big;
        raw.swap_bytes()
    } else {
        raw
    };
    match version {
        2 | 3 => Ok(version),
        other => Err(GgufError::new(4, Fault::Version(other))),
    }
}

fn read_name(cursor: &mut Cursor<'_>) -> Result<String, GgufError> {
    let len = cursor.count("bytes of text", 1)?;
    if len > MAX_NAME {
        return cursor.fail(Fault::NameLength(len));
    }
    cursor.text(len)
}

fn read_metadata(cursor: &mut Cursor<'_>, count: u64) -> Result<Metadata, GgufError> {
    let mut metadata = Metadata::default();
    for nth in 0..count {
        let at = cursor.at();
        let key = read_name(cursor).map_err(|e| e.about(&format!("key {nth}")))?;
        if key.is_empty() {
            return Err(GgufError::new(at, Fault::NameLength(0)).about(&format!("key {nth}")));
        }
        if metadata.get(&key).is_some() {
            return Err(GgufError::new(at, Fault::DuplicateKey).about(&key));
        }
        let value = read_value(cursor).map_err(|e| e.about(&key))?;
        metadata.insert(key, value);
    }
    Ok(metadata)
}

fn alignment(cursor: &Cursor<'_>, metadata: &Metadata) -> Result<u64, GgufError> {
    const KEY: &str = "general.alignment";
    let fail = |fault| GgufError::new(cursor.at(), fault).about(KEY);
    let alignment = metadata.opt_u64(KEY).map_err(|e| fail(e.into()))?.unwrap_or(DEFAULT_ALIGNMENT);
    if alignment.is_power_of_two() { Ok(alignment) } else { Err(fail(Fault::Alignment(alignment))) }
}

/// The tensors, and the bytes of their data with padding.
fn read_tensors(
    cursor: &mut Cursor<'_>,
    count: u64,
    alignment: u64,
) -> Result<(TensorTable, u64), GgufError> {
    let mut tensors = Vec::new();
    let mut data: u64 = 0;
    for nth in 0..count {
        let at = cursor.at();
        let name = read_name(cursor).map_err(|e| e.about(&format!("tensor {nth}")))?;
        let named = |fault| GgufError::new(at, fault).about(&name);
        let (shape, stored, offset) = read_place(cursor).map_err(|e| e.about(&name))?;
        // ggml refuses gaps, overlaps and another order (`gguf.cpp`, "has offset …, expected …").
        if offset != data {
            return Err(named(Fault::Offset { found: offset, expected: data }));
        }
        let (elements, bytes) = size(&shape, stored).map_err(named)?;
        data = bytes
            .checked_next_multiple_of(alignment)
            .and_then(|padded| data.checked_add(padded))
            .ok_or_else(|| named(Fault::Overflow))?;
        tensors.push(Tensor {
            name,
            shape,
            stored: StoredType::Ggml(stored),
            elements: Elements::new(elements),
            bytes: Bytes::new(bytes),
        });
    }
    let table = TensorTable::new(tensors).map_err(|e| match e {
        TableError::Duplicate(name) => GgufError::new(cursor.at(), Fault::DuplicateTensor).about(&name),
        TableError::Overflow(_) => GgufError::new(cursor.at(), Fault::Overflow),
    })?;
    Ok((table, data))
}

fn read_place(cursor: &mut Cursor<'_>) -> Result<(Vec<u64>, GgmlType, u64), GgufError> {
    let dimensions = cursor.u32()?;
    if dimensions > MAX_DIMENSIONS {
        return cursor.fail(Fault::Dimensions(dimensions));
    }
    let shape = (0..dimensions).map(|_| cursor.u64()).collect::<Result<Vec<_>, _>>()?;
    let id = cursor.u32()?;
    let Some(stored) = GgmlType::from_id(id) else { return cursor.fail(Fault::TensorType(id)) };
    Ok((shape, stored, cursor.u64()?))
}

/// Elements and bytes: whole blocks in every row.
fn size(shape: &[u64], stored: GgmlType) -> Result<(u64, u64), Fault> {
    let row = shape.first().copied().unwrap_or(1);
    let row_bytes = stored.bytes(row).map_err(|_| Fault::Overflow)?.ok_or_else(|| {
        let layout = stored.layout();
        Fault::Row { row, name: layout.name, block: layout.block }
    })?;
    let rows = shape.iter().skip(1).try_fold(1u64, |n, d| n.checked_mul(*d)).ok_or(Fault::Overflow)?;
    // ggml counts in 63 bits.
    let elements = row.checked_mul(rows).filter(|n| i64::try_from(*n).is_ok()).ok_or(Fault::Overflow)?;
    let bytes = row_bytes.times(rows).map_err(|_| Fault::Overflow)?;
    Ok((elements, bytes.get()))
}
