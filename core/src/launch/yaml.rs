//! The little YAML that configuration files need: block maps and lists in the order given, and plain scalars.

use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Write as _;

/// A YAML node.
#[derive(Debug, Clone)]
pub(super) enum Yaml {
    /// A number, a truth value or a text.
    Scalar(Value),
    /// A list.
    Items(Vec<Self>),
    /// A map, in the order its fields are written.
    Fields(Vec<(Cow<'static, str>, Self)>),
}

impl Yaml {
    /// A map of fields.
    pub(super) fn map<const N: usize>(fields: [(&'static str, Self); N]) -> Self {
        Self::Fields(fields.into_iter().map(|(name, node)| (Cow::Borrowed(name), node)).collect())
    }

    /// As text, a line feed at its end.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        self.block(0, &mut out);
        out
    }

    fn block(&self, indent: usize, out: &mut String) {
        match self {
            Self::Scalar(value) => {
                let _ = writeln!(out, "{:indent$}{}", "", scalar(value));
            }
            Self::Items(items) => {
                for item in items {
                    let mut inner = String::new();
                    item.block(indent + 2, &mut inner);
                    let _ = write!(out, "{:indent$}- {}", "", inner.trim_start());
                }
            }
            Self::Fields(fields) => {
                for (name, node) in fields {
                    match node {
                        Self::Scalar(value) => {
                            let _ = writeln!(out, "{:indent$}{name}: {}", "", scalar(value));
                        }
                        Self::Items(_) | Self::Fields(_) => {
                            let _ = writeln!(out, "{:indent$}{name}:", "");
                            node.block(indent + 2, out);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Into<Value>> From<T> for Yaml {
    fn from(value: T) -> Self {
        match value.into() {
            Value::Array(items) => Self::Items(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => Self::Fields(
                fields.into_iter().map(|(name, value)| (name.into(), Self::from(value))).collect(),
            ),
            value @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                Self::Scalar(value)
            }
        }
    }
}

/// A scalar; text is quoted where a reader would take it for something else. JSON's quoting is YAML's too.
fn scalar(value: &Value) -> String {
    let Some(text) = value.as_str() else { return value.to_string() };
    let reads_as_text =
        text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '/' | '.' | '_'))
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+'))
            && text.chars().any(|c| c.is_ascii_alphabetic())
            && !matches!(
                text.to_ascii_lowercase().as_str(),
                "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n" | ".inf" | ".nan"
            );
    if reads_as_text { text.to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_of_maps_stand_as_people_write_them() {
        let node = Yaml::map([
            ("name", "a".into()),
            ("args", json!(["--x", "4", "on"]).into()),
            ("ports", Yaml::Items(vec![Yaml::map([("port", 80.into()), ("name", "http".into())])])),
        ]);
        let expected =
            "name: a\nargs:\n  - \"--x\"\n  - \"4\"\n  - \"on\"\nports:\n  - port: 80\n    name: http\n";
        assert_eq!(node.text(), expected);
    }
}
