//! What the page calls. A file gives as many of its first bytes as its header needs, and nothing of it leaves the page.

use crate::answer::Answered;
use crate::read::{self, Step};
use crate::write;
use js_sys::Uint8Array;
use kvplan_core::error::PlanError;
use kvplan_core::plan::ModelRef;
use kvplan_core::planner::view::text::grouped;
use kvplan_core::spec::source::Prefix;
use serde_json::Value;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};
use wasm_bindgen_futures::JsFuture;

/// First read of a file, bytes: most headers without a tokenizer's table are shorter.
const FIRST: u64 = 1 << 20;
/// Longest header that is read, bytes.
const LONGEST: u64 = 512 << 20;

/// Takes the text of the models and devices, before anything else is asked.
///
/// # Errors
/// A text that is none.
#[wasm_bindgen]
pub fn open(catalogue: String) -> Result<(), JsError> {
    Ok(kvplan_core::spec::catalog::give(catalogue)?)
}

/// What a text is, for a page that has the model `set` (as JSON): an [`Answered`], as JSON.
///
/// # Errors
/// A model that is none, an answer that cannot be written.
#[wasm_bindgen]
pub fn text(text: &str, set: &str) -> Result<String, JsError> {
    written(&read::answered(read::text(text, &model(set)?)))
}

/// What a file is, for a page that has the model `set` (as JSON): an [`Answered`], as JSON.
///
/// # Errors
/// A model that is none, an answer that cannot be written.
#[wasm_bindgen]
pub async fn file(file: web_sys::File, set: String) -> Result<String, JsError> {
    written(&beginnings(&file, &model(&set)?).await)
}

/// A request (as JSON) with its plan, as a file for people and scripts.
///
/// # Errors
/// A request that is none.
#[wasm_bindgen]
pub fn plan(request: &str) -> Result<String, JsError> {
    Ok(write::plan(request)?)
}

/// The beginning of a spec for a request's model (as JSON), which is not understood.
///
/// # Errors
/// A request that is none, a model that is understood.
#[wasm_bindgen]
pub fn describe(request: &str) -> Result<String, JsError> {
    Ok(write::describe(request)?)
}

/// The report of such a model.
///
/// # Errors
/// As [`describe`].
#[wasm_bindgen]
pub fn report(request: &str) -> Result<String, JsError> {
    Ok(write::report(request)?)
}

fn model(set: &str) -> Result<ModelRef, JsError> {
    let value: Value = serde_json::from_str(set)?;
    Ok(kvplan_core::read::value("model", &value)?)
}

fn written(answered: &Answered) -> Result<String, JsError> {
    Ok(serde_json::to_string(answered)?)
}

/// Reads a longer and longer beginning until it is enough.
async fn beginnings(file: &web_sys::File, set: &ModelRef) -> Answered {
    let file_len = whole(file.size());
    let mut want = FIRST.min(file_len);
    loop {
        let bytes = beginning(file, want).await?;
        match read::file(&file.name(), Prefix { bytes: &bytes, file_len }, set) {
            Step::Done(done) => return read::answered(*done),
            Step::More(need) => {
                let next = need.max(want.saturating_mul(2)).min(file_len);
                if next <= want || next > LONGEST {
                    let message = format!("{}: its header needs {} bytes", file.name(), grouped(need));
                    return Err(PlanError::invalid("", message));
                }
                want = next;
            }
        }
    }
}

async fn beginning(file: &web_sys::File, bytes: u64) -> Result<Vec<u8>, PlanError> {
    let failed = |_| PlanError::invalid("", format!("{}: the browser could not read it", file.name()));
    let slice = file.slice_with_f64_and_f64(0.0, double(bytes)).map_err(failed)?;
    let buffer = JsFuture::from(slice.array_buffer()).await.map_err(failed)?;
    Ok(Uint8Array::new(&buffer).to_vec())
}

#[expect(clippy::cast_precision_loss, reason = "lengths of files that are read are far below 2^53")]
const fn double(bytes: u64) -> f64 {
    bytes as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the browser counts a file's bytes in a double, exactly up to 2^53"
)]
const fn whole(bytes: f64) -> u64 {
    bytes as u64
}
