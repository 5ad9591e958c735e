//! A typed view of a JSON object that remembers what was read, so that nothing cache-deciding is ignored by accident.

use crate::error::PlanError;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// One object of a config. `null` counts as absent; errors name the key and quote its value.
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: String,
    read: RefCell<BTreeSet<String>>,
    assumptions: RefCell<Vec<String>>,
}

impl<'a> Fields<'a> {
    /// A view of `map`; `path` is where it sits in the file (`text_config.`, empty at the top).
    pub(super) fn new(map: &'a Map<String, Value>, path: impl Into<String>) -> Self {
        Self {
            map,
            path: path.into(),
            read: RefCell::new(BTreeSet::new()),
            assumptions: RefCell::new(Vec::new()),
        }
    }

    /// The key as the file's reader finds it.
    pub(super) fn path(&self, key: &str) -> String {
        format!("{}{key}", self.path)
    }

    /// What was taken from a published default, or could not be known.
    pub(super) fn assume(&self, text: impl Into<String>) {
        let text = text.into();
        let mut assumptions = self.assumptions.borrow_mut();
        if !assumptions.contains(&text) {
            assumptions.push(text);
        }
    }

    pub(super) fn take_assumptions(&self) -> Vec<String> {
        self.assumptions.take()
    }

    /// The keys nobody asked for, with their values.
    pub(super) fn unread(&self) -> Vec<(&'a String, &'a Value)> {
        let read = self.read.borrow();
        self.map.iter().filter(|(key, _)| !read.contains(key.as_str())).collect()
    }

    /// Says that a key is known and does not decide the cache here.
    pub(super) fn ignore(&self, keys: &[&str]) {
        let mut read = self.read.borrow_mut();
        read.extend(keys.iter().map(|key| (*key).to_owned()));
    }

    /// [`Fields::ignore`] for every key that starts so.
    pub(super) fn ignore_prefix(&self, prefix: &str) {
        let mut read = self.read.borrow_mut();
        read.extend(self.map.keys().filter(|key| key.starts_with(prefix)).cloned());
    }

    /// Whether the key is written at all, even as `null`.
    pub(super) fn written(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The value, unless absent or null.
    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.read.borrow_mut().insert(key.to_owned());
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn invalid(&self, key: &str, message: impl Into<String>) -> PlanError {
        let error = PlanError::invalid(self.path(key), message);
        match self.map.get(key) {
            Some(value) if !value.is_array() && !value.is_object() => error.with_value(value.clone()),
            _ => error,
        }
    }

    pub(super) fn unsupported(&self, key: &str, message: impl Into<String>) -> PlanError {
        let error = PlanError::unsupported(self.path(key), message);
        match self.map.get(key) {
            Some(value) if !value.is_array() && !value.is_object() => error.with_value(value.clone()),
            _ => error,
        }
    }

    pub(super) fn missing(&self, key: &str, message: impl Into<String>) -> PlanError {
        PlanError::missing(self.path(key), message)
    }

    /// A count, if present. An integer-valued float (`4096.0`) counts.
    pub(super) fn u64(&self, key: &str) -> Result<Option<u64>, PlanError> {
        match self.value(key) {
            None => Ok(None),
            Some(value) => match whole(value) {
                Some(n) => Ok(Some(n)),
                None => Err(self.invalid(key, format!("`{key}` must be a whole number, not {value}"))),
            },
        }
    }

    /// The first of several spellings that is present.
    pub(super) fn first(&self, keys: &[&str]) -> Result<Option<u64>, PlanError> {
        for key in keys {
            if let Some(n) = self.u64(key)? {
                return Ok(Some(n));
            }
        }
        Ok(None)
    }

    /// A positive count, if present.
    pub(super) fn positive(&self, key: &str) -> Result<Option<u64>, PlanError> {
        match self.u64(key)? {
            Some(0) => Err(self.invalid(key, format!("`{key}` must be positive"))),
            found => Ok(found),
        }
    }

    /// A positive count that the cache depends on.
    pub(super) fn need(&self, key: &str) -> Result<u64, PlanError> {
        self.positive(key)?
            .ok_or_else(|| self.missing(key, format!("`{key}` decides the cache and is absent")))
    }

    /// A positive count under the first spelling that is present.
    pub(super) fn need_first(&self, keys: &[&str]) -> Result<u64, PlanError> {
        for key in keys {
            if let Some(n) = self.positive(key)? {
                return Ok(n);
            }
        }
        let name = keys.first().copied().unwrap_or_default();
        Err(self.missing(name, format!("`{}` decides the cache and is absent", keys.join("` or `"))))
    }

    /// A positive count, or the family's published default, which is then an assumption.
    pub(super) fn or_default(&self, key: &str, default: u64, class: &str) -> Result<u64, PlanError> {
        if let Some(n) = self.positive(key)? {
            return Ok(n);
        }
        self.assume(format!("{key} is absent: {default}, the default of {class}"));
        Ok(default)
    }

    pub(super) fn bool(&self, key: &str) -> Result<Option<bool>, PlanError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Bool(b)) => Ok(Some(*b)),
            Some(value) => Err(self.invalid(key, format!("`{key}` must be true or false, not {value}"))),
        }
    }

    pub(super) fn str(&self, key: &str) -> Result<Option<&'a str>, PlanError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(value) => Err(self.invalid(key, format!("`{key}` must be a string, not {value}"))),
        }
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, PlanError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(value) => Err(self.invalid(key, format!("`{key}` must be a list, not {value}"))),
        }
    }

    /// A list of whole numbers.
    pub(super) fn numbers(&self, key: &str) -> Result<Option<Vec<u64>>, PlanError> {
        let Some(items) = self.list(key)? else { return Ok(None) };
        let read = |(i, item): (usize, &Value)| {
            whole(item).ok_or_else(|| {
                let message = format!("`{key}` must list whole numbers, not {item}");
                PlanError::invalid(self.path(&format!("{key}[{i}]")), message).with_value(item.clone())
            })
        };
        items.iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// A list of strings.
    pub(super) fn strings(&self, key: &str) -> Result<Option<Vec<&'a str>>, PlanError> {
        let Some(items) = self.list(key)? else { return Ok(None) };
        let read = |(i, item): (usize, &'a Value)| {
            item.as_str().ok_or_else(|| {
                let message = format!("`{key}` must list strings, not {item}");
                PlanError::invalid(self.path(&format!("{key}[{i}]")), message).with_value(item.clone())
            })
        };
        items.iter().enumerate().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// A nested object.
    pub(super) fn object(&self, key: &str) -> Result<Option<Fields<'a>>, PlanError> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(map)) => Ok(Some(Fields::new(map, format!("{}{key}.", self.path)))),
            Some(value) => Err(self.invalid(key, format!("`{key}` must be an object, not {value}"))),
        }
    }
}

/// A whole number, also where it is written as a float.
fn whole(value: &Value) -> Option<u64> {
    let Value::Number(number) = value else { return None };
    if let Some(n) = number.as_u64() {
        return Some(n);
    }
    // Display of a whole float has no fraction, so this is exact where it succeeds.
    number
        .as_f64()
        .filter(|f| f.fract() == 0.0 && *f >= 0.0 && *f < 9e15)
        .and_then(|f| format!("{f}").parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(json: &str) -> Map<String, Value> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn null_is_absent_and_a_whole_float_is_a_number() {
        let map = view(r#"{"a": null, "b": 4096.0, "c": 0.5, "d": -1}"#);
        let fields = Fields::new(&map, "text_config.");
        assert_eq!(fields.u64("a").unwrap(), None);
        assert_eq!(fields.u64("b").unwrap(), Some(4096));
        for key in ["c", "d"] {
            let error = fields.u64(key).unwrap_err();
            assert_eq!(error.field, format!("text_config.{key}"));
            assert_eq!(error.value, map[key]);
        }
    }

    #[test]
    fn an_absent_dimension_is_named() {
        let map = view("{}");
        let error = Fields::new(&map, "").need("num_hidden_layers").unwrap_err();
        assert_eq!(
            (error.kind, error.field.as_str()),
            (crate::error::ErrorKind::MissingField, "num_hidden_layers")
        );
    }
}
