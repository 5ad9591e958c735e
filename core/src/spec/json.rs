//! Publishers' JSON: strict first, and tolerant of the one thing Python writes that JSON lacks.
//!
//! Python's `json.dump` writes bare `Infinity`, `-Infinity` and `NaN` (three published Nemotron configs carry one in
//! `time_step_limit`). Newer files of the same publishers write `{"__float__": "Infinity"}`; [`parse`] turns the bare
//! form into that one, so that a reader meets a single form. Nothing else is tolerated.

use crate::error::PlanError;
use serde_json::Value;

/// Longest text that is parsed. The longest published config is 3 MB, and a tree costs up to two hundred times its text.
pub const MAX_TEXT: usize = 16 * 1024 * 1024;

/// Text that is no JSON, even with Python's floats.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not JSON: {0}")]
pub struct JsonError(String);

impl From<JsonError> for PlanError {
    fn from(error: JsonError) -> Self {
        Self::invalid("", error.to_string())
    }
}

/// The value in `bytes`, with or without a byte order mark, nested at most 127 deep. Strict JSON is parsed in place;
/// only a file with a bare `Infinity`, `-Infinity` or `NaN` outside strings is copied.
///
/// ```
/// # use serde_json::json;
/// let config = br#"{"time_step_limit": [0.0, Infinity]}"#;
/// assert_eq!(
///     kvplan_core::spec::json::parse(config)?,
///     json!({"time_step_limit": [0.0, {"__float__": "Infinity"}]})
/// );
/// # Ok::<(), kvplan_core::spec::json::JsonError>(())
/// ```
///
/// # Errors
/// [`JsonError`] with line and column.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    if bytes.len() > MAX_TEXT {
        return Err(JsonError(format!("{} bytes; at most {MAX_TEXT} are read", bytes.len())));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let strict = match serde_json::from_slice(bytes) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match rewrite(bytes) {
        Some(text) => serde_json::from_slice(&text).map_err(|e| JsonError(e.to_string())),
        None => Err(JsonError(strict.to_string())),
    }
}

/// Python's spellings and what stands for them; the longer of two with a common start comes first.
const FLOATS: [(&[u8], &[u8]); 3] = [
    (b"-Infinity", br#"{"__float__":"-Infinity"}"#),
    (b"Infinity", br#"{"__float__":"Infinity"}"#),
    (b"NaN", br#"{"__float__":"NaN"}"#),
];

/// The text with Python's floats tagged, `None` where it holds none.
fn rewrite(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut copied: usize = 0;
    let mut at: usize = 0;
    let mut in_string = false;
    while let Some(&byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let step = match byte {
            b'"' => {
                in_string = !in_string;
                1
            }
            b'\\' if in_string => 2,
            b'-' | b'I' | b'N' if !in_string => {
                let before = at.checked_sub(1).and_then(|i| text.get(i));
                match FLOATS.iter().find(|(bare, _)| rest.starts_with(bare)) {
                    Some((bare, tagged)) if ends_token(before) && ends_token(rest.get(bare.len())) => {
                        out.extend_from_slice(text.get(copied..at).unwrap_or_default());
                        out.extend_from_slice(tagged);
                        copied = at.saturating_add(bare.len());
                        bare.len()
                    }
                    _ => 1,
                }
            }
            _ => 1,
        };
        at = at.saturating_add(step);
    }
    if copied == 0 {
        return None;
    }
    out.extend_from_slice(text.get(copied..).unwrap_or_default());
    Some(out)
}

/// Whether a value's token cannot go on over this byte.
const fn ends_token(byte: Option<&u8>) -> bool {
    matches!(byte, None | Some(b'[' | b']' | b'{' | b'}' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    #[test]
    fn strict_json_passes_unchanged_with_or_without_a_byte_order_mark() {
        let expected = json!({"head_dim": 128, "rope": null});
        assert_eq!(parse(br#"{"head_dim": 128, "rope": null}"#), Ok(expected.clone()));
        assert_eq!(parse(b"\xef\xbb\xbf{\"head_dim\": 128, \"rope\": null}"), Ok(expected));
    }

    #[rstest]
    #[case("[Infinity]", json!([{"__float__": "Infinity"}]))]
    #[case("-Infinity", json!({"__float__": "-Infinity"}))]
    #[case("{\"a\":NaN,\"b\":-1}", json!({"a": {"__float__": "NaN"}, "b": -1}))]
    #[case("[0.0,\n Infinity ]", json!([0.0, {"__float__": "Infinity"}]))]
    fn pythons_floats_become_the_tagged_form(#[case] text: &str, #[case] expected: Value) {
        assert_eq!(parse(text.as_bytes()), Ok(expected));
    }

    #[test]
    fn the_words_inside_strings_stay_as_they_are() {
        let text = br#"{"NaN": "Infinity", "q": "\"NaN, Infinity\\", "x": [NaN]}"#;
        let expected = json!({"NaN": "Infinity", "q": "\"NaN, Infinity\\", "x": [{"__float__": "NaN"}]});
        assert_eq!(parse(text), Ok(expected));
    }

    #[rstest]
    #[case("{'a': 1}")]
    #[case("[1,]")]
    #[case("[+Infinity]")]
    #[case("[Infinity2]")]
    #[case("[1Infinity]")]
    #[case("[infinity, nan, None, True]")]
    #[case("{Infinity: 1}")]
    #[case("[1] // comment")]
    #[case("[Infinity] trailing")]
    #[case("")]
    #[case("[1e999]")]
    fn nothing_else_is_tolerated(#[case] text: &str) {
        assert!(parse(text.as_bytes()).is_err());
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(parse(deep(127).as_bytes()).is_ok());
        assert!(parse(deep(128).as_bytes()).is_err());
        assert!(parse(deep(1_000_000).as_bytes()).is_err());
        assert!(parse(format!("{}NaN", "[".repeat(1_000_000)).as_bytes()).is_err());
    }

    #[test]
    fn length_is_bounded() {
        let mut text = vec![b' '; MAX_TEXT];
        text[0] = b'1';
        assert_eq!(parse(&text), Ok(json!(1)));
        text.push(b' ');
        assert!(parse(&text).is_err());
    }

    #[test]
    fn the_error_names_line_and_column() {
        let error = PlanError::from(parse(b"{\n  \"a\": trux\n}").unwrap_err());
        assert_eq!(error.message, "not JSON: expected ident at line 2 column 11");
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_refused(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_serde_accepts_is_returned_as_serde_reads_it(text in "[\\[\\]{},:\"0-9eE.INa-z \\\\-]{0,40}") {
            if let Ok(strict) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(parse(text.as_bytes()), Ok(strict));
            }
        }
    }
}
