//! Keys that an object of a request has twice. serde keeps the last of them, and what is asked would not be what is read.

use crate::error::PlanError;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserializer, de};
use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// Refuses a request with a key twice in one object. A publisher's own file is left alone: who loads it takes the last.
///
/// # Errors
/// `invalid`, at the key.
pub(crate) fn refuse(text: &[u8]) -> Result<(), PlanError> {
    let (mut path, mut found) = (String::new(), false);
    let mut whole = serde_json::Deserializer::from_slice(text);
    let walk = Walk { path: &mut path, found: &mut found };
    // Text that is no JSON is refused by who reads it.
    match walk.deserialize(&mut whole) {
        Err(_) if found => Err(PlanError::invalid(path, "the key is there twice in one object")),
        Ok(()) | Err(_) => Ok(()),
    }
}

struct Walk<'a> {
    /// Where it stands; after a key that is there twice, that key's.
    path: &'a mut String,
    found: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        if self.path == "model.hf" {
            return d.deserialize_ignored_any(IgnoredAny).map(drop);
        }
        d.deserialize_any(self)
    }
}

/// A key, borrowed from the text where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Cow<'de, str>, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys: Vec<Cow<'de, str>> = Vec::new();
        let above = self.path.len();
        while let Some(key) = map.next_key_seed(Key)? {
            if above > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            if keys.contains(&key) {
                *self.found = true;
                return Err(A::Error::custom("twice"));
            }
            map.next_value_seed(Walk { path: &mut *self.path, found: &mut *self.found })?;
            self.path.truncate(above);
            keys.push(key);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let above = self.path.len();
        for at in 0usize.. {
            // Writing into a text does not fail.
            let _written = write!(self.path, "[{at}]");
            if list.next_element_seed(Walk { path: &mut *self.path, found: &mut *self.found })?.is_none() {
                break;
            }
            self.path.truncate(above);
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_named_by_its_path() {
        for (text, field) in [
            (r#"{"model": "a", "context": 1, "context": 2}"#, "context"),
            (
                r#"{"model": "a", "engine": {"name": "vllm", "block_size": 16, "block_size": 32}}"#,
                "engine.block_size",
            ),
            (r#"{"hardware": [{"device": "a"}, {"count": 1, "co\u0075nt": 2}]}"#, "hardware[1].count"),
            (r#"{"model": {"spec": {"layers": [{"count": 1, "count": 2}]}}}"#, "model.spec.layers[0].count"),
        ] {
            let error = refuse(text.as_bytes()).unwrap_err();
            assert_eq!((error.field.as_str(), error.message.contains("twice")), (field, true), "{text}");
        }
    }

    #[test]
    fn what_is_once_and_what_a_publisher_wrote_twice_is_let_through() {
        for text in [
            r#"{"model": "a", "context": 1, "cache": {"k": "f16"}, "reserve": {"k": 1}}"#,
            r#"{"model": {"hf": {"torch_dtype": "bfloat16", "torch_dtype": "float16"}}}"#,
            "no JSON",
            r#"{"model": "a""#,
        ] {
            assert!(refuse(text.as_bytes()).is_ok(), "{text}");
        }
    }
}
