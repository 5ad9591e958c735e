//! From a JSON value to a type. Whatever is read from JSON is read by this one deserializer, so that a type's reading is
//! compiled once, and an error knows where in the value it is.

use crate::error::PlanError;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::{Map, Value, map};
use std::fmt::{self, Display, Write as _};
use std::slice;

/// Reads a value as a `T`.
///
/// # Errors
/// `missing-field` or `invalid`: where (below `outer`), what is there, and what is wrong with it.
pub fn value<'de, T: Deserialize<'de>>(outer: &str, whole: &'de Value) -> Result<T, PlanError> {
    T::deserialize(At(whole)).map_err(|fault| fault.told(outer, whole))
}

/// Reads a value as a `T`, for who says himself where it stands.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn part<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, String> {
    T::deserialize(At(value)).map_err(|fault| fault.message)
}

/// What is wrong, and where: the innermost step first.
#[derive(Debug)]
struct Fault {
    message: String,
    path: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
    Variant(String),
}

impl Fault {
    fn below(mut self, step: Step) -> Self {
        self.path.push(step);
        self
    }

    fn told(self, outer: &str, whole: &Value) -> PlanError {
        let mut field = String::new();
        let mut at = Some(whole);
        for step in self.path.iter().rev() {
            match step {
                Step::Key(key) => {
                    field.push_str(if field.is_empty() { "" } else { "." });
                    field.push_str(key);
                    at = at.and_then(|value| value.get(key));
                }
                Step::Index(index) => {
                    // Writing into a text does not fail.
                    let _written = write!(field, "[{index}]");
                    at = at.and_then(|value| value.get(index));
                }
                Step::Variant(name) => {
                    field.push_str(if field.is_empty() { "" } else { "." });
                    field.push_str(name);
                    at = None;
                }
            }
        }
        let within = |field: &mut String, name: &str| {
            let between = if field.is_empty() { "" } else { "." };
            *field = format!("{field}{between}{name}");
        };
        let quoted = |start: &str| self.message.strip_prefix(start).and_then(|rest| rest.split('`').next());
        // Both are reported at the object that holds the field, or does not, and quote its name.
        if let Some(name) = quoted("unknown field `")
            && !field.ends_with(name)
        {
            at = at.and_then(|value| value.get(name));
            within(&mut field, name);
        }
        let missing = quoted("missing field `");
        if let Some(name) = missing {
            at = None;
            within(&mut field, name);
        }
        let value = match at {
            Some(value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))) => {
                value.clone()
            }
            // Whole objects and lists would drown the message.
            Some(Value::Array(_) | Value::Object(_)) | None => Value::Null,
        };
        let is_missing = missing.is_some();
        let error = if is_missing {
            PlanError::missing(field, self.message)
        } else {
            PlanError::invalid(field, self.message)
        };
        let error = error.with_value(value);
        if outer.is_empty() { error } else { error.within(outer) }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self { message: message.to_string(), path: Vec::new() }
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid type: {}, expected {wanted}", InJson(found)))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::custom(format_args!("invalid value: {}, expected {wanted}", InJson(found)))
    }
}

/// What was found, in JSON's words.
struct InJson<'a>(Unexpected<'a>);

impl Display for InJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Unit => f.write_str("null"),
            Unexpected::Float(number) => write!(f, "floating point `{}`", Value::from(number)),
            found @ (Unexpected::Bool(_)
            | Unexpected::Unsigned(_)
            | Unexpected::Signed(_)
            | Unexpected::Char(_)
            | Unexpected::Str(_)
            | Unexpected::Bytes(_)
            | Unexpected::Option
            | Unexpected::NewtypeStruct
            | Unexpected::Seq
            | Unexpected::Map
            | Unexpected::Enum
            | Unexpected::UnitVariant
            | Unexpected::NewtypeVariant
            | Unexpected::TupleVariant
            | Unexpected::StructVariant
            | Unexpected::Other(_)) => found.fmt(f),
        }
    }
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(is) => Unexpected::Bool(*is),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(count), _, _) => Unexpected::Unsigned(count),
            (None, Some(negative), _) => Unexpected::Signed(negative),
            (None, None, Some(real)) => Unexpected::Float(real),
            (None, None, None) => Unexpected::Other("number"),
        },
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

/// A value that is read.
#[derive(Clone, Copy)]
struct At<'de>(&'de Value);

impl<'de> At<'de> {
    fn bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Bool(is) = self.0 else { return Err(self.mistaken(&visitor)) };
        visitor.visit_bool(*is)
    }

    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Number(number) = self.0 else { return Err(self.mistaken(&visitor)) };
        match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(count), _, _) => visitor.visit_u64(count),
            (None, Some(negative), _) => visitor.visit_i64(negative),
            (None, None, Some(real)) => visitor.visit_f64(real),
            (None, None, None) => Err(Fault::custom("no number that can be read")),
        }
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::String(text) = self.0 else { return Err(self.mistaken(&visitor)) };
        visitor.visit_borrowed_str(text)
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Array(items) = self.0 else { return Err(self.mistaken(&visitor)) };
        let mut list = List { items: items.iter(), at: 0 };
        let read = visitor.visit_seq(&mut list)?;
        match list.items.len() {
            0 => Ok(read),
            _ => Err(Fault::invalid_length(items.len(), &"fewer elements in array")),
        }
    }

    fn object<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Value::Object(fields) = self.0 else { return Err(self.mistaken(&"an object")) };
        visitor.visit_map(Object::of(fields))
    }

    #[cold]
    fn mistaken(self, wanted: &dyn Expected) -> Fault {
        Fault::invalid_type(unexpected(self.0), wanted)
    }
}

/// Methods that take one sort of value. A type whose sort is known is compiled for no other: that, times all types, is a
/// good part of what the browser would load.
macro_rules! reads_a {
    ($sort:ident: $($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.$sort(visitor)
        })+
    };
}

impl<'de> Deserializer<'de> for At<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(is) => visitor.visit_bool(*is),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Number(_) => self.number(visitor),
            Value::Array(_) => self.list(visitor),
            Value::Object(_) => self.object(visitor),
        }
    }

    reads_a!(bool: deserialize_bool);
    reads_a!(number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128);
    reads_a!(number: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128);
    reads_a!(number: deserialize_f32 deserialize_f64);
    reads_a!(text: deserialize_char deserialize_str deserialize_string deserialize_identifier);
    reads_a!(list: deserialize_seq);
    reads_a!(object: deserialize_map);

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.list(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.object(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                visitor.visit_some(self)
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (name, content) = match self.0 {
            Value::String(name) => (name, None),
            Value::Object(fields) => match Option::zip(fields.iter().next(), Some(fields.len() == 1)) {
                Some(((name, content), true)) => (name, Some(content)),
                Some((_, false)) | None => {
                    return Err(Fault::invalid_value(Unexpected::Map, &"map with a single key"));
                }
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return Err(self.mistaken(&"string or map"));
            }
        };
        visitor.visit_enum(Variant { name, content })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bytes byte_buf unit unit_struct
    }
}

struct List<'de> {
    items: slice::Iter<'de, Value>,
    at: usize,
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.next() else { return Ok(None) };
        let index = self.at;
        self.at = index.saturating_add(1);
        seed.deserialize(At(item)).map(Some).map_err(|fault| fault.below(Step::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Object<'de> {
    fields: map::Iter<'de>,
    open: Option<(&'de String, &'de Value)>,
}

impl<'de> Object<'de> {
    fn of(fields: &'de Map<String, Value>) -> Self {
        Self { fields: fields.iter(), open: None }
    }
}

impl<'de> MapAccess<'de> for Object<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.open = self.fields.next();
        let Some((key, _)) = self.open else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let Some((key, value)) = self.open.take() else {
            return Err(Fault::custom("a value without its key"));
        };
        seed.deserialize(At(value)).map_err(|fault| fault.below(Step::Key(key.clone())))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

/// A variant of an enum, by name or as an object of one field.
struct Variant<'de> {
    name: &'de str,
    content: Option<&'de Value>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self), Fault> {
        Ok((seed.deserialize(BorrowedStrDeserializer::new(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            None => Ok(()),
            Some(content) => <()>::deserialize(At(content))
                .map_err(|fault| fault.below(Step::Variant(self.name.to_owned()))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let content =
            self.content.ok_or_else(|| Fault::invalid_type(Unexpected::UnitVariant, &"newtype variant"))?;
        seed.deserialize(At(content)).map_err(|fault| fault.below(Step::Variant(self.name.to_owned())))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Fault> {
        let content =
            self.content.ok_or_else(|| Fault::invalid_type(Unexpected::UnitVariant, &"tuple variant"))?;
        At(content).deserialize_any(visitor).map_err(|fault| fault.below(Step::Variant(self.name.to_owned())))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let content =
            self.content.ok_or_else(|| Fault::invalid_type(Unexpected::UnitVariant, &"struct variant"))?;
        At(content).deserialize_any(visitor).map_err(|fault| fault.below(Step::Variant(self.name.to_owned())))
    }
}

#[cfg(test)]
mod tests;
