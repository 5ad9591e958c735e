//! Metadata values: what is kept of them, and how they are read.

use super::cursor::Cursor;
use super::error::{Fault, GgufError};

/// Longest array that is kept: per-layer arrays are far shorter, tokenizer tables far longer.
pub const MAX_KEPT_ARRAY: u64 = 4096;
/// Longest string that is kept: names, licences and chat templates are shorter.
pub const MAX_KEPT_STRING: u64 = 1024 * 1024;
/// Deepest nesting of arrays; llama.cpp itself reads none inside another.
pub const MAX_NESTING: u32 = 4;

/// The type of a metadata value, by its number in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// 0
    U8,
    /// 1
    I8,
    /// 2
    U16,
    /// 3
    I16,
    /// 4
    U32,
    /// 5
    I32,
    /// 6
    F32,
    /// 7
    Bool,
    /// 8
    String,
    /// 9
    Array,
    /// 10
    U64,
    /// 11
    I64,
    /// 12
    F64,
}

impl ValueType {
    /// The type of that number.
    #[must_use]
    pub const fn from_id(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::String,
            9 => Self::Array,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of one value, for arrays and strings of the shortest.
    const fn min_bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::String => 8,
            Self::Array => 12,
        }
    }
}

/// A metadata value. Integers and floats are widened; where their width matters to llama.cpp the file was written by it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// u8, u16, u32 or u64.
    Unsigned(u64),
    /// i8, i16, i32 or i64.
    Signed(i64),
    /// f32 or f64.
    Float(f64),
    /// bool.
    Bool(bool),
    /// A string of at most [`MAX_KEPT_STRING`] bytes.
    Text(String),
    /// A longer string: its bytes.
    LongText(u64),
    /// An array.
    Array(Array),
}

/// A metadata array.
#[derive(Debug, Clone, PartialEq)]
pub enum Array {
    /// Of u8, u16, u32 or u64.
    Unsigned(Vec<u64>),
    /// Of i8, i16, i32 or i64.
    Signed(Vec<i64>),
    /// Of f32 or f64.
    Float(Vec<f64>),
    /// Of bools.
    Bool(Vec<bool>),
    /// Strings, arrays, or more than [`MAX_KEPT_ARRAY`] elements: only the length is kept.
    Skipped {
        /// Type of the elements.
        element: ValueType,
        /// Number of elements.
        len: u64,
    },
}

impl Array {
    /// Number of elements.
    #[must_use]
    pub fn len(&self) -> u64 {
        let kept = match self {
            Self::Unsigned(v) => v.len(),
            Self::Signed(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Bool(v) => v.len(),
            Self::Skipped { len, .. } => return *len,
        };
        u64::try_from(kept).unwrap_or(u64::MAX)
    }

    /// Whether it has no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Value {
    /// What it is, for a message.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unsigned(_) | Self::Signed(_) => "an integer",
            Self::Float(_) => "a float",
            Self::Bool(_) => "a bool",
            Self::Text(_) | Self::LongText(_) => "a string",
            Self::Array(_) => "an array",
        }
    }
}

pub(super) fn read_value(cursor: &mut Cursor<'_>) -> Result<Value, GgufError> {
    Ok(match read_type(cursor)? {
        ValueType::U8 => Value::Unsigned(cursor.u8()?.into()),
        ValueType::U16 => Value::Unsigned(cursor.u16()?.into()),
        ValueType::U32 => Value::Unsigned(cursor.u32()?.into()),
        ValueType::U64 => Value::Unsigned(cursor.u64()?),
        ValueType::I8 => Value::Signed(cursor.i8()?.into()),
        ValueType::I16 => Value::Signed(cursor.i16()?.into()),
        ValueType::I32 => Value::Signed(cursor.i32()?.into()),
        ValueType::I64 => Value::Signed(cursor.i64()?),
        ValueType::F32 => Value::Float(cursor.f32()?.into()),
        ValueType::F64 => Value::Float(cursor.f64()?),
        ValueType::Bool => Value::Bool(read_bool(cursor)?),
        ValueType::String => {
            let len = cursor.count("bytes of text", 1)?;
            if len > MAX_KEPT_STRING {
                cursor.skip(len)?;
                Value::LongText(len)
            } else {
                Value::Text(cursor.text(len)?)
            }
        }
        ValueType::Array => Value::Array(read_array(cursor)?),
    })
}

fn read_type(cursor: &mut Cursor<'_>) -> Result<ValueType, GgufError> {
    let id = cursor.u32()?;
    match ValueType::from_id(id) {
        Some(kind) => Ok(kind),
        None => cursor.fail(Fault::ValueType(id)),
    }
}

fn read_bool(cursor: &mut Cursor<'_>) -> Result<bool, GgufError> {
    match cursor.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        other => cursor.fail(Fault::Bool(other)),
    }
}

fn read_array(cursor: &mut Cursor<'_>) -> Result<Array, GgufError> {
    let element = read_type(cursor)?;
    let len = cursor.count("array elements", element.min_bytes())?;
    if len > MAX_KEPT_ARRAY {
        skip_elements(cursor, element, len, 1)?;
        return Ok(Array::Skipped { element, len });
    }
    Ok(match element {
        ValueType::U8 => Array::Unsigned(collect(len, || cursor.u8().map(u64::from))?),
        ValueType::U16 => Array::Unsigned(collect(len, || cursor.u16().map(u64::from))?),
        ValueType::U32 => Array::Unsigned(collect(len, || cursor.u32().map(u64::from))?),
        ValueType::U64 => Array::Unsigned(collect(len, || cursor.u64())?),
        ValueType::I8 => Array::Signed(collect(len, || cursor.i8().map(i64::from))?),
        ValueType::I16 => Array::Signed(collect(len, || cursor.i16().map(i64::from))?),
        ValueType::I32 => Array::Signed(collect(len, || cursor.i32().map(i64::from))?),
        ValueType::I64 => Array::Signed(collect(len, || cursor.i64())?),
        ValueType::F32 => Array::Float(collect(len, || cursor.f32().map(f64::from))?),
        ValueType::F64 => Array::Float(collect(len, || cursor.f64())?),
        ValueType::Bool => Array::Bool(collect(len, || read_bool(cursor))?),
        ValueType::String | ValueType::Array => {
            skip_elements(cursor, element, len, 1)?;
            Array::Skipped { element, len }
        }
    })
}

fn collect<T>(len: u64, mut next: impl FnMut() -> Result<T, GgufError>) -> Result<Vec<T>, GgufError> {
    (0..len).map(|_| next()).collect()
}

/// Walks over `len` elements by their lengths, without copying any.
fn skip_elements(cursor: &mut Cursor<'_>, element: ValueType, len: u64, depth: u32) -> Result<(), GgufError> {
    match element {
        ValueType::String => {
            for _ in 0..len {
                let bytes = cursor.u64()?;
                cursor.skip(bytes)?;
            }
            Ok(())
        }
        ValueType::Array => {
            if depth >= MAX_NESTING {
                return cursor.fail(Fault::Nesting(MAX_NESTING));
            }
            for _ in 0..len {
                let inner = read_type(cursor)?;
                let count = cursor.count("array elements", inner.min_bytes())?;
                skip_elements(cursor, inner, count, depth.saturating_add(1))?;
            }
            Ok(())
        }
        ValueType::U8
        | ValueType::I8
        | ValueType::Bool
        | ValueType::U16
        | ValueType::I16
        | ValueType::U32
        | ValueType::I32
        | ValueType::F32
        | ValueType::U64
        | ValueType::I64
        | ValueType::F64 => match len.checked_mul(element.min_bytes()) {
            Some(bytes) => cursor.skip(bytes),
            None => cursor.fail(Fault::Overflow),
        },
    }
}
