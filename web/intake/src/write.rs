//! What leaves the page as a file and is not drawn: written here, for the planner's module then needs no writer of answers.

use kvplan_core::error::PlanError;
use kvplan_core::plan::{self, Request, resolve_model};
use kvplan_core::planner::view::unknown;
use serde_json::json;

/// A request, given as JSON, with its plan (`null` where there is none), as indented JSON.
///
/// # Errors
/// What is wrong with the request's form.
pub fn plan(request: &str) -> Result<String, PlanError> {
    let request = Request::parse(request.as_bytes()).map_err(|(_, error)| error)?;
    let plan = plan::plan(&request).ok();
    let text = serde_json::to_string_pretty(&json!({ "request": request, "plan": plan }));
    text.map_err(|error| PlanError::invalid("", error.to_string()))
}

/// The beginning of a spec of a request's model that is not understood, to be filled in by hand.
///
/// # Errors
/// What is wrong with the request's form, and a model that is understood.
pub fn describe(request: &str) -> Result<String, PlanError> {
    let (request, error) = not_understood(request)?;
    Ok(unknown::describe(&request.model, &error))
}

/// What somebody who can mend it has to know of such a model.
///
/// # Errors
/// As [`describe`].
pub fn report(request: &str) -> Result<String, PlanError> {
    let (request, error) = not_understood(request)?;
    Ok(unknown::report(&request, &error))
}

fn not_understood(request: &str) -> Result<(Request, PlanError), PlanError> {
    let request = Request::parse(request.as_bytes()).map_err(|(_, error)| error)?;
    match resolve_model(&request.model) {
        Ok(_) => Err(PlanError::invalid("model", "it is understood")),
        Err(error) => Ok((request, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_file_holds_the_request_and_the_bytes_its_plan_reserves() {
        let request = json!({ "model": "qwen3-8b", "context": 131_072 });
        let file: Value = serde_json::from_str(&plan(&request.to_string()).unwrap()).unwrap();
        assert_eq!(file["request"], request);
        // 36 layers of 8 heads of 128, keys and values of 2 bytes: the figure that the README shows.
        assert_eq!(file["plan"]["kv"]["allocated_bytes"], 19_327_352_832_u64);
    }

    #[test]
    fn a_model_that_is_not_understood_can_be_described_and_reported() {
        let request =
            json!({ "model": { "hf": { "model_type": "nobody_knows" } }, "context": 1 }).to_string();
        for text in [describe(&request).unwrap(), report(&request).unwrap()] {
            assert!(text.contains("nobody_knows"), "{text}");
        }
        assert!(report(r#"{"model": "qwen3-8b"}"#).is_err());
    }

    #[test]
    fn a_request_without_a_plan_is_written_alone() {
        let file = plan(r#"{"model": "no-such-model", "context": 1}"#).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&file).unwrap()["plan"], Value::Null);
    }
}
