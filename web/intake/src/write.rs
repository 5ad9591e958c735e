//! What leaves the page as a file and is not drawn: written here, for the planner's module then needs no writer of answers.

use kvplan_core::error::PlanError;
use kvplan_core::plan::{self, Request};
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
    fn a_request_without_a_plan_is_written_alone() {
        let file = plan(r#"{"model": "no-such-model", "context": 1}"#).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&file).unwrap()["plan"], Value::Null);
    }
}
