//! A model described by hand, as `describe it` writes one: `key = value` and `[[layers]]`, each value as JSON writes it. That
//! much of TOML takes few lines; what goes beyond is refused with its line.

use kvplan_core::error::PlanError;
use kvplan_core::plan::{ModelRef, resolve_model};
use serde_json::{Map, Value};

/// The model.
///
/// # Errors
/// `invalid` with the line that cannot be read, or with what is wrong with the model.
pub fn spec(text: &str) -> Result<ModelRef, PlanError> {
    let (mut whole, mut layers) = (Map::new(), Vec::new());
    for (line, number) in text.lines().zip(1u64..) {
        let line = without_comment(line).trim();
        if line.is_empty() {
            continue;
        }
        if line == "[[layers]]" {
            layers.push(Map::new());
            continue;
        }
        let refused = |what: &str| PlanError::invalid("model", format!("line {number}: {what}: {line}"));
        let Some((key, value)) = line.split_once('=') else {
            return Err(refused("neither `key = value` nor `[[layers]]`"));
        };
        let value: Value = serde_json::from_str(value.trim())
            .map_err(|_| refused("a number, true, false, \"a text\" or a list of them is needed"))?;
        let at = layers.last_mut().unwrap_or(&mut whole);
        if at.insert(key.trim().to_owned(), value).is_some() {
            return Err(refused("said twice"));
        }
    }
    whole.insert("layers".to_owned(), layers.into_iter().map(Value::Object).collect());
    let model = ModelRef::Spec(Value::Object(whole));
    resolve_model(&model)?;
    Ok(model)
}

/// What stands before a `#` that is in no text.
fn without_comment(line: &str) -> &str {
    let (mut inside, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            '#' if !inside => return line.get(..at).unwrap_or(line),
            '"' if !escaped => inside = !inside,
            _ => {}
        }
        escaped = inside && c == '\\' && !escaped;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvplan_core::plan::{Request, plan};
    use kvplan_core::planner::view::unknown::describe;
    use serde_json::json;

    fn described() -> String {
        let config = json!({ "model_type": "nobody_knows", "num_hidden_layers": 4, "hidden_size": 512,
            "num_attention_heads": 8, "num_key_value_heads": 2, "max_position_embeddings": 4096 });
        let asked = ModelRef::Hf(config);
        let error = resolve_model(&asked).unwrap_err();
        describe(&asked, &error)
    }

    #[test]
    fn what_is_offered_to_be_filled_in_is_a_model_once_it_is() {
        let model = spec(&described().replace("\"?\"", "\"full\"")).unwrap();
        let plan = plan(&Request { context: Some(1000), ..Request::of(model) }).unwrap();
        // 4 layers × 1,000 tokens × 2 heads × 64 × 2 bytes, of keys and of values.
        assert_eq!(plan.kv.allocated_bytes.get(), 4 * 1000 * 2 * 64 * 2 * 2);
    }

    #[test]
    fn what_is_left_open_or_written_otherwise_is_named() {
        assert!(spec(&described()).unwrap_err().message.contains('?'));
        for (text, word) in [
            ("[[layers]]\ncount = four", "line 2: a number"),
            ("a = 1\n\na = 2\n[[layers]]", "line 3: said twice"),
            ("[rope]\n[[layers]]", "line 1: neither"),
        ] {
            let message = spec(text).unwrap_err().message;
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_hash_in_a_text_begins_no_comment() {
        assert_eq!(without_comment(r#"name = "a # b \" # c" # d"#), r#"name = "a # b \" # c" "#);
    }
}
