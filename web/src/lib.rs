//! The browser planner.

use kvplan_core::plan::answer_line;
use wasm_bindgen::prelude::wasm_bindgen;

/// The answer to one request: what `kvplan batch` prints for the line, a plan or an error object.
#[wasm_bindgen]
#[must_use]
pub fn answer(request: &str) -> String {
    answer_line(request)
}
