//! The state as one short line: the query of a URL, a saved file, an argument of the command line.
//!
//! ```text
//! v=1&model=qwen3.6-27b&cache.k=q8_0&context=131072&engine.name=llama.cpp&rules=llama.cpp@0c1e57098&data=2026-11-23&reserved=…
//! ```
//!
//! The request's fields by their own names, nested ones with a dot, lists with a number; whatever is at its default is left
//! out. A value is JSON where it reads as JSON, and text otherwise. Plan A is the same under `a.`. A line says under
//! which rules and data it was written and what the engine reserved then, so that who opens it in a year sees what changed.

use super::Planner;
use super::state::{State, View};
use crate::error::{ErrorKind, PlanError};
use crate::plan::{Request, WeightsRequest, plan};
use form_urlencoded::Serializer;
use serde_json::{Map, Value};
use std::str::FromStr;

/// The form written here; a line of a later one is refused.
pub const VERSION: u64 = 1;

/// Longest line that is read, in bytes: a URL with a whole `config.json` in it is far below.
const LONGEST: usize = 1 << 20;

/// Most dots in a name.
const DEEPEST: usize = 8;

/// A state that was read, and what changed since it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// The state.
    pub state: State,
    /// Sentences for the person who opens it; empty where nothing changed.
    pub changes: Vec<String>,
}

/// The line of a planner's state.
#[must_use]
pub fn write(planner: &Planner) -> String {
    let state = planner.state();
    let mut line = Serializer::new(String::new());
    line.append_pair("v", &VERSION.to_string());
    write_request("", &carried(planner), &mut line);
    if let Some(field) = state.largest {
        line.append_pair("largest", field.into());
    }
    if let Some(pinned) = &state.pinned {
        write_request("a.", pinned, &mut line);
    }
    write_view(state.view, &mut line);
    if let Some(rules) = rules(&state.request) {
        line.append_pair("rules", &rules);
    }
    line.append_pair("data", kvplan_model_specs::catalogue().date);
    if let Ok(plan) = planner.plan() {
        line.append_pair("reserved", &plan.kv.allocated_bytes.get().to_string());
    }
    line.finish()
}

/// Reads a line; a leading `?` or `#` is allowed, so that the tail of a URL can be pasted.
///
/// # Errors
/// `unsupported` for a line of a later version; `invalid` or `missing-field`, naming the part, for one that was cut or edited.
pub fn read(text: &str) -> Result<Opened, PlanError> {
    let text = text.trim().trim_start_matches(['?', '#']);
    if text.len() > LONGEST {
        let message = format!("{} bytes: states are at most {LONGEST}", text.len());
        return Err(PlanError::invalid("state", message));
    }
    let mut fields = Fields::parse(text)?;
    let version: u64 =
        fields.take("v")?.ok_or_else(|| PlanError::missing("state.v", "no version: not a state"))?;
    if version > VERSION {
        let message = format!("written by a later kvplan (form {version}); this one reads form {VERSION}");
        return Err(PlanError::unsupported("state.v", message).with_value(version));
    }
    let default = View::default();
    let view = View {
        tab: fields.take("tab")?.unwrap_or(default.tab),
        lens: fields.take("lens")?.unwrap_or(default.lens),
        figure: fields.take("figure")?.unwrap_or(default.figure),
        units: fields.take("units")?.unwrap_or(default.units),
        exact_bytes: fields.take("exact")?.unwrap_or(default.exact_bytes),
    };
    let (wrote, data, reserved) = (fields.take("rules")?, fields.take("data")?, fields.take("reserved")?);
    let largest = fields.take("largest")?;
    let pinned = fields.branch("a").map(|value| request("state.a", &value)).transpose()?.map(Box::new);
    let request = request("state", &fields.rest())?;
    let changes = changes(&request, wrote, data, reserved);
    Ok(Opened { state: State { request, largest, pinned, view }, changes })
}

/// The request as a link carries it: an opened file's weights by their bytes, for the file stays where it is.
fn carried(planner: &Planner) -> Request {
    let mut request = planner.state().request.clone();
    let own = planner.model().ok().and_then(crate::spec::ModelSpec::own_weights);
    let own = own.and_then(|own| own.loaded().ok()).or_else(|| planner.unread_weights());
    if let (None, Some(bytes)) = (&request.weights, own) {
        request.weights = Some(WeightsRequest::Bytes(bytes.get()));
    }
    request
}

fn request(outer: &str, value: &Value) -> Result<Request, PlanError> {
    let request = Request::from_value(value).map_err(|error| error.within(outer))?;
    request.check().map_err(|error| error.within(outer))?;
    Ok(request)
}

/// `llama.cpp@0c1e57098`; `None` for the ideal engine, which has no versions.
fn rules(request: &Request) -> Option<String> {
    let name = request.engine.as_ref().map_or_else(Default::default, |engine| engine.name);
    name.modelled_version().map(|version| format!("{name}@{version}"))
}

fn changes(
    request: &Request,
    wrote: Option<String>,
    data: Option<String>,
    reserved: Option<u64>,
) -> Vec<String> {
    let mut changes = Vec::new();
    let now = rules(request);
    if let (Some(then), Some(now)) = (wrote, now)
        && then != now
    {
        changes.push(format!("made under the rules of {then}; these are {now}"));
    }
    let today = kvplan_model_specs::catalogue().date;
    if let Some(then) = data.filter(|then| then != today) {
        changes.push(format!("made with the model and device data of {then}; this is that of {today}"));
    }
    if let Some(then) = reserved {
        match plan(request) {
            Ok(plan) if plan.kv.allocated_bytes.get() == then => {}
            Ok(plan) => changes.push(format!(
                "the cache was {then} bytes then and is {} now",
                plan.kv.allocated_bytes.get()
            )),
            Err(error) => {
                changes.push(format!("the cache was {then} bytes then and cannot be computed now: {error}"))
            }
        }
    }
    changes
}

fn write_view(view: View, line: &mut Serializer<'_, String>) {
    let default = View::default();
    let mut put = |name: &str, differs: bool, text: String| {
        if differs {
            line.append_pair(name, &text);
        }
    };
    put("tab", view.tab != default.tab, view.tab.to_string());
    put("lens", view.lens != default.lens, view.lens.to_string());
    put("figure", view.figure != default.figure, view.figure.to_string());
    put("units", view.units != default.units, view.units.to_string());
    put("exact", view.exact_bytes != default.exact_bytes, view.exact_bytes.to_string());
}

fn write_request(prefix: &str, request: &Request, line: &mut Serializer<'_, String>) {
    // The explanation is always asked for by who shows it, and an id means nothing outside its batch.
    let request = Request { id: None, explain: false, ..request.clone() };
    if let Ok(Value::Object(mut fields)) = serde_json::to_value(&request) {
        // The model first: it is what a person looks for in a link.
        let model = fields.remove("model").map(|model| ("model".to_owned(), model));
        for (name, value) in model.into_iter().chain(fields) {
            flatten(&format!("{prefix}{name}"), &value, line);
        }
    }
}

fn flatten(path: &str, value: &Value, line: &mut Serializer<'_, String>) {
    let plain = |name: &String| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
    };
    match value {
        // A carried model is one value: its names are not ours.
        Value::Object(fields)
            if !path.ends_with("model")
                && !path.ends_with("draft")
                && !fields.is_empty()
                && fields.keys().all(plain) =>
        {
            for (name, value) in fields {
                flatten(&format!("{path}.{name}"), value, line);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{path}.{at}"), item, line);
            }
        }
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => {
            line.append_pair(path, text);
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            line.append_pair(path, &value.to_string());
        }
    }
}

/// The line's fields as a tree: a value is its text, a group an object.
#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn parse(text: &str) -> Result<Self, PlanError> {
        let mut root = Map::new();
        for (path, value) in form_urlencoded::parse(text.as_bytes()) {
            let twice =
                || PlanError::invalid(format!("state.{path}"), "given twice, or both a value and a group");
            let (groups, name) = path.rsplit_once('.').map_or((None, path.as_ref()), |(g, n)| (Some(g), n));
            let mut at = &mut root;
            for (depth, group) in groups.iter().flat_map(|groups| groups.split('.')).enumerate() {
                if depth == DEEPEST {
                    return Err(PlanError::invalid(format!("state.{path}"), "nested too deeply"));
                }
                let node = at.entry(group).or_insert_with(|| Value::Object(Map::new()));
                at = node.as_object_mut().ok_or_else(twice)?;
            }
            if at.insert(name.to_owned(), Value::String(value.into_owned())).is_some() {
                return Err(twice());
            }
        }
        Ok(Self(root))
    }

    /// Takes out a field that is not the request's.
    fn take<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, PlanError> {
        let invalid = |value: &str| {
            PlanError::new(
                ErrorKind::Invalid,
                format!("state.{name}"),
                format!("`{value}` is no value of it"),
            )
            .with_value(value)
        };
        let Some(value) = self.0.remove(name) else { return Ok(None) };
        let text = value.as_str().ok_or_else(|| invalid("a group"))?;
        text.parse().map(Some).map_err(|_| invalid(text))
    }

    fn branch(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).map(value_of)
    }

    fn rest(self) -> Value {
        value_of(Value::Object(self.0))
    }
}

/// What a part of the tree says: a text that reads as JSON is that, a group of numbers a list.
fn value_of(node: Value) -> Value {
    match node {
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Value::Object(fields)
            if (0..fields.len()).all(|at| fields.contains_key(&at.to_string())) && !fields.is_empty() =>
        {
            // In numeric order, which is not the order of the names.
            let mut items: Vec<(usize, Value)> =
                fields.into_iter().filter_map(|(at, node)| at.parse().ok().map(|at| (at, node))).collect();
            crate::order::by_key(&mut items, |(at, _)| *at);
            Value::Array(items.into_iter().map(|(_, node)| value_of(node)).collect())
        }
        Value::Object(mut fields) => {
            for value in fields.values_mut() {
                *value = value_of(value.take());
            }
            Value::Object(fields)
        }
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) => plain,
    }
}
