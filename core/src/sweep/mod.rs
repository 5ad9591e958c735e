//! Many requests in one line: lists and ranges where a request has one value, and their cross product.
//!
//! ```
//! # use kvplan_core::sweep::Sweep;
//! let line = r#"{"model": ["qwen3-8b", "gpt-oss-20b"], "context": {"from": 4096, "to": 16384, "times": 2}}"#;
//! let sweep = Sweep::parse(line.as_bytes()).unwrap().unwrap();
//! assert_eq!(sweep.len(), 6);
//! let mut last = Vec::new();
//! sweep.request_into(5, &mut last);
//! assert_eq!(last, br#"{"model": "gpt-oss-20b", "context": 16384}"#);
//! ```
//!
//! The points of a sweep are requests as they could be written one by one: each is the line with one value of every
//! axis put in its place, so an answer of a sweep is the answer of that request. The axis written last varies fastest.
//! Nothing is expanded before it is asked for: a sweep of a million points is as small as its line.
//!
//! Fields that are lists by nature (`hardware`, `engine.override_tensor`, `engine.tensor_split`,
//! `engine.max_attention_window`) are swept by lists of lists. `id` and models carried in the request are never swept.

mod axis;

use crate::error::PlanError;
use axis::{Axis, Template};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A line that stands for several requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    template: Template,
}

/// A sweep that cannot be read: the line's `id`, where it has one, and why.
pub type SweepError = (Option<Value>, PlanError);

impl Sweep {
    /// The sweep a line stands for; `None` for a line that is a plain request, or no JSON at all.
    ///
    /// # Errors
    /// `invalid` for an empty list or a range that goes nowhere, naming its field; `overflow` for more than 2^64 points.
    pub fn parse(line: &[u8]) -> Result<Option<Self>, SweepError> {
        // Most lines have neither a list nor a range, and no line is read twice in vain.
        if !line.contains(&b'[') && !line.windows(6).any(|w| w == b"\"from\"") {
            return Ok(None);
        }
        let Some(whole) = std::str::from_utf8(line)
            .ok()
            .and_then(|text| serde_json::from_str::<&RawValue>(text.trim()).ok())
        else {
            return Ok(None);
        };
        let refused = |error| {
            let id = serde_json::from_slice::<Value>(line).ok().and_then(|v| v.get("id").cloned());
            (id, error)
        };
        let template = Template::read(whole.get(), fields).map_err(refused)?;
        if template.is_plain() {
            return Ok(None);
        }
        crate::plan::refuse_twice(line).map_err(refused)?;
        Ok(Some(Self { template }))
    }

    /// How many points it has.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a sweep without points is refused when it is read")]
    pub const fn len(&self) -> u64 {
        self.template.points()
    }

    /// Appends the request of a point, as JSON.
    pub fn request_into(&self, point: u64, out: &mut Vec<u8>) {
        self.template.write(point, out);
    }

    /// Appends what is particular to a point: an object of the values of its axes, by dotted field.
    pub fn point_into(&self, point: u64, out: &mut Vec<u8>) {
        self.template.write_point(point, out);
    }
}

/// What a field may hold, and so what a list there means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Whatever it holds is the field's own.
    Opaque,
    /// A model: an id may be one of several, a model that is carried is opaque.
    Model,
    /// One value, or an object of fields.
    One,
    /// A list; lists of lists are several of them.
    List,
}

fn holds(path: &str) -> Holds {
    match path {
        "id" => Holds::Opaque,
        "model" | "extras.draft" => Holds::Model,
        "hardware" | "engine.override_tensor" | "engine.tensor_split" | "engine.max_attention_window" => {
            Holds::List
        }
        _ => Holds::One,
    }
}

/// The members of an object in the order they are written; empty for anything else.
fn members(text: &str) -> Vec<(String, &RawValue)> {
    let read: BTreeMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
    let mut members: Vec<(String, &RawValue)> = read.into_iter().collect();
    members.sort_by_key(|(_, value)| value.get().as_ptr().addr());
    members
}

fn elements(text: &str) -> Vec<&RawValue> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Reads the fields of the object `text` into the template.
fn fields(text: &str, path: &str, template: &mut Template) -> Result<(), PlanError> {
    for (name, value) in members(text) {
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        field(value.get(), &path, template)?;
    }
    Ok(())
}

fn field(text: &str, path: &str, template: &mut Template) -> Result<(), PlanError> {
    let (list, object) = (text.starts_with('['), text.starts_with('{'));
    match holds(path) {
        Holds::Opaque => Ok(()),
        Holds::Model if list => alternatives(text, path, template, |_, _, _| Ok(())),
        Holds::Model => Ok(()),
        Holds::One if list => alternatives(text, path, template, inside),
        Holds::One if object => match axis::range(text, path)? {
            Some(range) => template.axis(text, Axis::range(path, range)),
            None => fields(text, path, template),
        },
        Holds::One => Ok(()),
        Holds::List if !list => Ok(()),
        Holds::List => {
            let elements = elements(text);
            // Shares of devices may be written as one text, and several as a list of them.
            let several = |e: &&RawValue| {
                e.get().starts_with('[') || (path == "engine.tensor_split" && e.get().starts_with('"'))
            };
            if !elements.is_empty() && elements.iter().all(several) {
                return alternatives(text, path, template, entries);
            }
            entries(text, path, template)
        }
    }
}

/// What is inside one of several values.
fn inside(text: &str, path: &str, template: &mut Template) -> Result<(), PlanError> {
    if text.starts_with('{') { fields(text, path, template) } else { Ok(()) }
}

/// The objects of a list that is one by nature.
fn entries(text: &str, path: &str, template: &mut Template) -> Result<(), PlanError> {
    if !text.starts_with('[') {
        return Ok(());
    }
    for (i, entry) in elements(text).into_iter().enumerate() {
        inside(entry.get(), &format!("{path}[{i}]"), template)?;
    }
    Ok(())
}

/// A list of values of which a request has one.
fn alternatives(
    text: &str,
    path: &str,
    template: &mut Template,
    read: impl Fn(&str, &str, &mut Template) -> Result<(), PlanError>,
) -> Result<(), PlanError> {
    let elements = elements(text);
    if elements.is_empty() {
        return Err(PlanError::invalid(path, "an empty list leaves nothing to plan"));
    }
    let choices = elements
        .into_iter()
        .map(|element| Template::read(element.get(), |text, _, template| read(text, path, template)))
        .collect::<Result<Vec<_>, _>>()?;
    template.axis(text, Axis::list(path, choices)?)
}
