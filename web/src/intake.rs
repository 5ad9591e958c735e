//! What reads files, logs and command lines, imports models and writes answers is a module of its own, which the page
//! loads the first time it is asked something.

use js_sys::{Function, Promise};
use kvplan_core::error::PlanError;
use kvplan_core::plan::{ModelRef, Request};
use kvplan_core::planner::link;
use kvplan_core::read;
use kvplan_core::spec::foreign;
use kvplan_web_intake::answer::{Answered, Taken, foreign_models_of};
use serde_json::Value;
use std::cell::OnceCell;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

thread_local! {
    static READ: OnceCell<Function> = const { OnceCell::new() };
}

/// Sets the page's function that loads the module and asks it.
pub(crate) fn ask_by(read: Function) {
    READ.with(|cell| {
        cell.get_or_init(|| read);
    });
}

/// What a text is, where a model is set.
pub(crate) async fn text(text: &str, set: &ModelRef) -> Result<Taken, PlanError> {
    taken("text", &JsValue::from_str(text), set).await
}

/// What a file is, where a model is set.
pub(crate) async fn file(file: &File, set: &ModelRef) -> Result<Taken, PlanError> {
    taken("file", file, set).await
}

/// Has the models of a state understood that this module cannot import, so that the state can be opened. What cannot be
/// had is said by the plan.
pub(crate) async fn prepare(line: &str) {
    let Ok(opened) = link::read(line) else { return };
    if foreign_models_of(&opened.state).any(|model| foreign::learned(model).is_none()) {
        let _said_by_the_plan = text(line, &opened.state.request.model).await;
    }
}

/// What a file about a request holds: its `plan`, or, where the model is not understood, what to `describe` of it or to
/// `report`.
pub(crate) async fn written(what: &str, request: &Request) -> Result<String, PlanError> {
    let request = json(serde_json::to_value(request))?;
    asked(what, &request, &JsValue::UNDEFINED).await
}

fn json(written: serde_json::Result<Value>) -> Result<JsValue, PlanError> {
    let value = written.map_err(|error| PlanError::invalid("", error.to_string()))?;
    Ok(JsValue::from_str(&value.to_string()))
}

async fn taken(ask: &str, given: &JsValue, set: &ModelRef) -> Result<Taken, PlanError> {
    let set = json(serde_json::to_value(set))?;
    let answer = understood(&asked(ask, given, &set).await?)?;
    for model in answer.models {
        foreign::learn(model);
    }
    Ok(answer.taken)
}

async fn asked(ask: &str, given: &JsValue, set: &JsValue) -> Result<String, PlanError> {
    let unread = |_| {
        let message = "the part of the page that this takes could not be loaded or failed: check the network, then \
                       try again";
        PlanError::invalid("", message)
    };
    let asked = READ.with(|cell| {
        let read = cell.get().ok_or(JsValue::NULL)?;
        read.call3(&JsValue::NULL, &JsValue::from_str(ask), given, set)
    });
    let answer = JsFuture::from(Promise::resolve(&asked.map_err(unread)?)).await.map_err(unread)?;
    Ok(answer.as_string().unwrap_or_default())
}

fn understood(text: &str) -> Answered {
    let value: Value =
        serde_json::from_str(text).map_err(|error| PlanError::invalid("", error.to_string()))?;
    // As requests and records are read: no second copy of that code.
    read::value::<Answered>("", &value)?
}
