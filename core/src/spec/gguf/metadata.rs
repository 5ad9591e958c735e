//! Metadata keys and typed access to them.

use super::value::{Array, MAX_KEPT_ARRAY, Value, ValueType};
use crate::error::PlanError;
use serde_json::Map;
use std::collections::BTreeMap;

/// The metadata of a GGUF file: key → value, sorted by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    entries: BTreeMap<String, Value>,
}

/// A key that is absent or holds something else than asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// The key is absent.
    #[error("the GGUF metadata has no {0}")]
    Missing(String),
    /// The key holds something else.
    #[error("{key} is {found}; {wanted} is needed")]
    Type {
        /// The key.
        key: String,
        /// What it holds.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// The per-layer array has another length.
    #[error("{key} has {found} entries; {wanted} are needed, one a layer")]
    Length {
        /// The key.
        key: String,
        /// Its entries.
        found: u64,
        /// The layers.
        wanted: u64,
    },
}

impl From<MetadataError> for PlanError {
    fn from(error: MetadataError) -> Self {
        let message = error.to_string();
        match error {
            MetadataError::Missing(key) => Self::missing(key, message),
            MetadataError::Type { key, .. } | MetadataError::Length { key, .. } => {
                Self::invalid(key, message)
            }
        }
    }
}

/// A value that is the same for every layer, or one a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PerLayer {
    /// One value for all layers.
    Same(u64),
    /// One value a layer, in layer order; bools count as 0 and 1.
    Each(Vec<u64>),
}

impl PerLayer {
    /// One value a layer.
    ///
    /// # Errors
    /// [`MetadataError::Length`] where an array is not exactly as long as `layers`, as llama.cpp demands, or `layers`
    /// is past [`MAX_KEPT_ARRAY`]: a header's number must not decide how much is allocated.
    pub fn expand(self, key: &str, layers: u64) -> Result<Vec<u64>, MetadataError> {
        match self {
            Self::Same(value) if layers <= MAX_KEPT_ARRAY => Ok((0..layers).map(|_| value).collect()),
            Self::Same(_) => Err(MetadataError::Length { key: key.to_owned(), found: 1, wanted: layers }),
            Self::Each(values) => {
                let found = u64::try_from(values.len()).unwrap_or(u64::MAX);
                if found == layers {
                    Ok(values)
                } else {
                    Err(MetadataError::Length { key: key.to_owned(), found, wanted: layers })
                }
            }
        }
    }
}

impl Metadata {
    /// As a request carries it; without what is too long to be kept.
    #[must_use]
    pub fn to_json(&self) -> Map<String, serde_json::Value> {
        let written = |value: &Value| {
            Some(match value {
                Value::Unsigned(n) => (*n).into(),
                Value::Signed(n) => (*n).into(),
                Value::Float(n) => (*n).into(),
                Value::Bool(is) => (*is).into(),
                Value::Text(text) => text.as_str().into(),
                Value::Array(Array::Unsigned(all)) => all.clone().into(),
                Value::Array(Array::Signed(all)) => all.clone().into(),
                Value::Array(Array::Float(all)) => all.clone().into(),
                Value::Array(Array::Bool(all)) => all.clone().into(),
                Value::LongText(_) | Value::Array(Array::Skipped { .. }) => return None,
            })
        };
        self.entries.iter().filter_map(|(key, value)| Some((key.clone(), written(value)?))).collect()
    }

    /// Metadata given as a JSON object, as in a request's `{"gguf": {…}}`. Arrays follow the same rules as in a file:
    /// of strings, or longer than 4096, only the length is kept.
    ///
    /// # Errors
    /// [`MetadataError::Type`] on a null, an object, or an array of mixed or nested elements.
    pub fn from_json(map: &Map<String, serde_json::Value>) -> Result<Self, MetadataError> {
        let entries = map.iter().map(|(key, json)| match from_json(json) {
            Some(value) => Ok((key.clone(), value)),
            None => Err(MetadataError::Type {
                key: key.clone(),
                found: shown(json),
                wanted: "a number, bool, string, or an array of one of these",
            }),
        });
        Ok(Self { entries: entries.collect::<Result<_, _>>()? })
    }

    /// Adds a key and says whether it was new.
    pub(super) fn insert(&mut self, key: String, value: Value) -> bool {
        self.entries.insert(key, value).is_none()
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.get(key)
    }

    /// All keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// `general.architecture`.
    ///
    /// # Errors
    /// [`MetadataError`] where it is absent or no string.
    pub fn architecture(&self) -> Result<&str, MetadataError> {
        self.str("general.architecture")
    }

    /// A non-negative integer of any width.
    ///
    /// # Errors
    /// [`MetadataError`] where it is absent or something else.
    pub fn u64(&self, key: &str) -> Result<u64, MetadataError> {
        required(key, self.opt_u64(key)?)
    }

    /// A non-negative integer of any width, where the key is there.
    ///
    /// # Errors
    /// [`MetadataError::Type`] where it holds something else.
    pub fn opt_u64(&self, key: &str) -> Result<Option<u64>, MetadataError> {
        self.opt(key, "a non-negative integer", unsigned)
    }

    /// A float or an integer.
    ///
    /// # Errors
    /// [`MetadataError::Type`] where it holds something else.
    pub fn opt_f64(&self, key: &str) -> Result<Option<f64>, MetadataError> {
        self.opt(key, "a number", |value| match value {
            Value::Float(x) => Some(*x),
            // Through 32 bits the widening is exact; no float key of llama.cpp holds a larger integer.
            Value::Unsigned(n) => u32::try_from(*n).ok().map(f64::from),
            Value::Signed(n) => i32::try_from(*n).ok().map(f64::from),
            Value::Bool(_) | Value::Text(_) | Value::LongText(_) | Value::Array(_) => None,
        })
    }

    /// A bool, or an integer 0 or 1.
    ///
    /// # Errors
    /// [`MetadataError`] where it is absent or something else.
    pub fn bool(&self, key: &str) -> Result<bool, MetadataError> {
        required(key, self.opt_bool(key)?)
    }

    /// A bool, or an integer 0 or 1, where the key is there.
    ///
    /// # Errors
    /// [`MetadataError::Type`] where it holds something else.
    pub fn opt_bool(&self, key: &str) -> Result<Option<bool>, MetadataError> {
        self.opt(key, "a bool", |value| match value {
            Value::Bool(b) => Some(*b),
            Value::Unsigned(0) | Value::Signed(0) => Some(false),
            Value::Unsigned(1) | Value::Signed(1) => Some(true),
            Value::Unsigned(_)
            | Value::Signed(_)
            | Value::Float(_)
            | Value::Text(_)
            | Value::LongText(_)
            | Value::Array(_) => None,
        })
    }

    /// A string.
    ///
    /// # Errors
    /// [`MetadataError`] where it is absent or something else.
    pub fn str(&self, key: &str) -> Result<&str, MetadataError> {
        required(key, self.opt_str(key)?)
    }

    /// A string, where the key is there.
    ///
    /// # Errors
    /// [`MetadataError::Type`] where it holds something else, or a string of more than a mebibyte.
    pub fn opt_str(&self, key: &str) -> Result<Option<&str>, MetadataError> {
        self.opt(key, "a string of at most 1 MiB", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Unsigned(_)
            | Value::Signed(_)
            | Value::Float(_)
            | Value::Bool(_)
            | Value::LongText(_)
            | Value::Array(_) => None,
        })
    }

    /// A non-negative integer for all layers, or an array of them (or of bools) with one a layer.
    ///
    /// # Errors
    /// [`MetadataError`] where it is absent or something else.
    pub fn u64_or_array(&self, key: &str) -> Result<PerLayer, MetadataError> {
        required(key, self.opt_u64_or_array(key)?)
    }

    /// A non-negative integer or bool for all layers, or an array with one a layer, where the key is there.
    ///
    /// # Errors
    /// [`MetadataError::Type`] where it holds something else.
    pub fn opt_u64_or_array(&self, key: &str) -> Result<Option<PerLayer>, MetadataError> {
        self.opt(key, "a non-negative integer or an array of these or of bools", |value| match value {
            Value::Array(Array::Unsigned(v)) => Some(PerLayer::Each(v.clone())),
            Value::Array(Array::Signed(v)) => {
                v.iter().map(|n| u64::try_from(*n).ok()).collect::<Option<_>>().map(PerLayer::Each)
            }
            Value::Array(Array::Bool(v)) => Some(PerLayer::Each(v.iter().copied().map(u64::from).collect())),
            Value::Array(Array::Float(_) | Array::Skipped { .. }) => None,
            Value::Bool(b) => Some(PerLayer::Same(u64::from(*b))),
            Value::Unsigned(_) | Value::Signed(_) | Value::Float(_) | Value::Text(_) | Value::LongText(_) => {
                unsigned(value).map(PerLayer::Same)
            }
        })
    }

    /// The length of an array, kept or skipped, where the key is there.
    ///
    /// # Errors
    /// [`MetadataError::Type`] where it holds something else.
    pub fn opt_array_len(&self, key: &str) -> Result<Option<u64>, MetadataError> {
        self.opt(key, "an array", |value| match value {
            Value::Array(array) => Some(array.len()),
            Value::Unsigned(_)
            | Value::Signed(_)
            | Value::Float(_)
            | Value::Bool(_)
            | Value::Text(_)
            | Value::LongText(_) => None,
        })
    }

    fn opt<'a, T>(
        &'a self,
        key: &str,
        wanted: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, MetadataError> {
        let Some(value) = self.entries.get(key) else { return Ok(None) };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => Err(MetadataError::Type { key: key.to_owned(), found: found(value), wanted }),
        }
    }
}

fn required<T>(key: &str, value: Option<T>) -> Result<T, MetadataError> {
    value.ok_or_else(|| MetadataError::Missing(key.to_owned()))
}

fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Unsigned(n) => Some(*n),
        Value::Signed(n) => u64::try_from(*n).ok(),
        Value::Float(_) | Value::Bool(_) | Value::Text(_) | Value::LongText(_) | Value::Array(_) => None,
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Unsigned(n) => n.to_string(),
        Value::Signed(n) => n.to_string(),
        Value::Float(x) => format!("the float {x}"),
        Value::Bool(b) => b.to_string(),
        Value::Array(array) => format!("an array of {}", array.len()),
        Value::Text(_) | Value::LongText(_) => value.kind().to_owned(),
    }
}

fn shown(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::Null => "null",
        serde_json::Value::Object(_) => "an object",
        serde_json::Value::Array(_) => "an array of mixed or nested elements",
        serde_json::Value::Bool(_) => "a bool",
        serde_json::Value::Number(_) => "a number",
        serde_json::Value::String(_) => "a string",
    }
    .to_owned()
}

fn from_json(json: &serde_json::Value) -> Option<Value> {
    match json {
        serde_json::Value::Bool(b) => Some(Value::Bool(*b)),
        serde_json::Value::String(text) => Some(Value::Text(text.clone())),
        serde_json::Value::Number(n) => match (n.as_u64(), n.as_i64()) {
            (Some(n), _) => Some(Value::Unsigned(n)),
            (None, Some(n)) => Some(Value::Signed(n)),
            (None, None) => n.as_f64().map(Value::Float),
        },
        serde_json::Value::Array(items) => array_from_json(items).map(Value::Array),
        serde_json::Value::Null | serde_json::Value::Object(_) => None,
    }
}

fn array_from_json(items: &[serde_json::Value]) -> Option<Array> {
    let len = u64::try_from(items.len()).ok()?;
    if items.iter().all(serde_json::Value::is_string) && !items.is_empty() {
        return Some(Array::Skipped { element: ValueType::String, len });
    }
    let array = if items.iter().all(serde_json::Value::is_u64) {
        Array::Unsigned(items.iter().map(serde_json::Value::as_u64).collect::<Option<_>>()?)
    } else if items.iter().all(serde_json::Value::is_boolean) {
        Array::Bool(items.iter().map(serde_json::Value::as_bool).collect::<Option<_>>()?)
    } else if items.iter().all(|n| n.is_u64() || n.is_i64()) {
        Array::Signed(items.iter().map(serde_json::Value::as_i64).collect::<Option<_>>()?)
    } else {
        Array::Float(items.iter().map(serde_json::Value::as_f64).collect::<Option<_>>()?)
    };
    if len <= MAX_KEPT_ARRAY {
        return Some(array);
    }
    let element = match array {
        Array::Unsigned(_) => ValueType::U64,
        Array::Signed(_) => ValueType::I64,
        Array::Float(_) => ValueType::F64,
        Array::Bool(_) => ValueType::Bool,
        Array::Skipped { element, .. } => element,
    };
    Some(Array::Skipped { element, len })
}
