//! Values as they are typed: names of what is known, and options of an engine.

use kvplan_core::engine::EngineName;
use kvplan_core::fit::Unknown;
use kvplan_core::launch::Target;
use kvplan_core::unit::{parse_bytes, parse_tokens};
use serde_json::Value;

/// An engine by name.
pub(super) fn engine_name(text: &str) -> Result<EngineName, String> {
    use strum::IntoEnumIterator as _;
    text.parse().map_err(|_| {
        let known: Vec<&str> = EngineName::iter().map(EngineName::as_str).collect();
        format!("no engine `{text}`; known: {}", known.join(", "))
    })
}

/// A number that can be searched.
pub(super) fn unknown(text: &str) -> Result<Unknown, String> {
    use strum::IntoEnumIterator as _;
    text.parse().map_err(|_| {
        let known: Vec<&str> = Unknown::iter().map(Unknown::into).collect();
        format!("`{text}` cannot be asked for; known: {}", known.join(", "))
    })
}

/// What is written for.
pub(super) fn target(text: &str) -> Result<Target, String> {
    use strum::IntoEnumIterator as _;
    text.parse().map_err(|_| {
        let known: Vec<&str> = Target::iter().map(Target::as_str).collect();
        format!("nothing to write for `{text}`; known: {}", known.join(", "))
    })
}

/// `NAME=VALUE`, the value as JSON where it is JSON, as a size where it is one (`16GiB`, `128k`), as text otherwise.
pub(super) fn engine_option(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "write NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), option_value(value)))
}

/// The value of an option as it is typed: JSON, a number of tokens, a size, or a word.
pub(crate) fn option_value(text: &str) -> Value {
    serde_json::from_str(text)
        .ok()
        .or_else(|| parse_tokens(text).ok().map(|n| Value::from(n.get())))
        .or_else(|| parse_bytes(text).ok().map(|n| Value::from(n.get())))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engine_options_read_as_json_sizes_or_text() {
        assert_eq!(engine_option("n_ubatch=256"), Ok(("n_ubatch".into(), Value::from(256))));
        assert_eq!(engine_option("kv_unified=true"), Ok(("kv_unified".into(), Value::from(true))));
        assert_eq!(
            engine_option("kv_cache_memory_bytes=16GiB"),
            Ok(("kv_cache_memory_bytes".into(), Value::from(16u64 << 30)))
        );
        assert_eq!(engine_option("type_k=q8_0"), Ok(("type_k".into(), Value::from("q8_0"))));
        assert!(engine_option("n_ubatch").is_err());
    }
}
