//! The engine's own options, as its schema lists them: each with what it is set to, and what can be said for it.

use super::picker::{Item, List, Picker, Take};
use kvplan_core::engine::EngineName;
use kvplan_core::plan::Request;
use kvplan_core::planner::Action;
use schemars::SchemaGenerator;
use serde_json::{Map, Value};

/// Options that are numbers of the planner already.
const NUMBERS: [&str; 2] = ["n_gpu_layers", "n_cpu_moe"];

/// An item an option.
pub(crate) fn items(engine: EngineName, request: &Request) -> Vec<Item> {
    let (options, _) = schema(engine);
    let set = |name: &str| request.engine.as_ref().and_then(|engine| engine.options.get(name));
    let shown = options.iter().filter(|(name, _)| !NUMBERS.contains(&name.as_str()));
    shown
        .map(|(name, schema)| {
            let says = schema.get("description").and_then(Value::as_str).unwrap_or_default();
            let set = set(name).map_or_else(|| "default".to_owned(), written);
            Item {
                label: name.clone(),
                detail: format!("{set}   {says}"),
                also: String::new(),
                take: Take::List(List::Option(name.clone())),
            }
        })
        .collect()
}

/// Options that are set, but those that are numbers of the planner.
pub(crate) fn others<'a>(
    set: impl Iterator<Item = (&'a String, &'a Value)>,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    set.filter(|(name, _)| !NUMBERS.contains(&name.as_str()))
}

/// What an option can be, where that is a list; `None` where it is typed.
pub(crate) fn values(engine: EngineName, name: &str, request: &Request) -> Option<Picker> {
    let (options, definitions) = schema(engine);
    let schema = options.get(name)?;
    let mut found: Vec<(Value, String)> = Vec::new();
    collect(schema, &definitions, &mut found);
    if found.is_empty() {
        return None;
    }
    let take = |value| Take::Do(Box::new(Action::EngineOption { name: name.to_owned(), value }));
    let item =
        |label: String, detail: String, value| Item { label, detail, also: String::new(), take: take(value) };
    let says =
        |schema: &Value| schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut items = vec![item("default".to_owned(), says(schema), None)];
    items.extend(found.into_iter().map(|(value, says)| item(written(&value), says, Some(value))));
    let set = request.engine.as_ref().and_then(|engine| engine.options.get(name)).map(written);
    Some(Picker::new(name, items, Some(set.as_deref().unwrap_or("default"))))
}

/// A value as it is typed.
pub(crate) fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The options of an engine by name, and the types that they mention.
fn schema(engine: EngineName) -> (Map<String, Value>, Map<String, Value>) {
    let mut generator = SchemaGenerator::default();
    let schema = engine.options_schema(&mut generator).map(schemars::Schema::to_value).unwrap_or_default();
    let options = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    (options, generator.take_definitions(true))
}

/// The values that a schema names one by one; none where it also takes others.
fn collect(schema: &Value, definitions: &Map<String, Value>, found: &mut Vec<(Value, String)>) {
    let own =
        |schema: &Value| schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    let referred = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    if let Some(target) = referred.and_then(|name| definitions.get(name)) {
        return collect(target, definitions, found);
    }
    if let Some(value) = schema.get("const") {
        return found.push((value.clone(), own(schema)));
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return found.extend(values.iter().map(|value| (value.clone(), String::new())));
    }
    for several in ["oneOf", "anyOf"] {
        for one in schema.get(several).and_then(Value::as_array).into_iter().flatten() {
            collect(one, definitions, found);
        }
    }
    let boolean = match schema.get("type") {
        Some(Value::String(name)) => name == "boolean",
        Some(Value::Array(names)) => names.iter().any(|name| name == "boolean"),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => false,
    };
    if boolean {
        found.extend([true, false].map(|value| (Value::from(value), String::new())));
    }
}
