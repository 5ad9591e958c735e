//! `kvplan engines`: what is modelled, at which version, with which options.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ListArgs;
use crate::show::{Align, Table, wrapped};
use kvplan_core::engine::EngineName;
use schemars::SchemaGenerator;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;
use strum::IntoEnumIterator as _;

/// One engine, as listed.
#[derive(Debug, Serialize)]
struct Row {
    name: EngineName,
    /// Whether requests for it are answered.
    modelled: bool,
    version: Option<&'static str>,
    /// JSON Schema of its options.
    options: Value,
}

/// The schema of an engine's options with the definitions it mentions.
fn options(name: EngineName) -> Value {
    let mut generator = SchemaGenerator::default();
    let Some(mut schema) = name.options_schema(&mut generator) else { return Value::Null };
    let definitions = generator.take_definitions(true);
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    schema.to_value()
}

/// Runs the command.
pub(crate) fn run(args: &ListArgs) -> anyhow::Result<Outcome> {
    let rows: Vec<Row> = EngineName::iter()
        .map(|name| Row {
            name,
            modelled: name.is_modelled(),
            version: name.modelled_version(),
            options: options(name),
        })
        .collect();
    if args.json {
        print_json(&rows)?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&[("engine", Align::Left), ("version", Align::Left), ("", Align::Left)]);
    for row in &rows {
        table.row([
            row.name.as_str(),
            row.version.unwrap_or(""),
            if row.modelled { "" } else { "not modelled yet" },
        ]);
    }
    let mut out = table.render();
    for row in rows.iter().filter(|row| row.modelled) {
        if let Some(options) = row.options.get("properties").and_then(Value::as_object)
            && !options.is_empty()
        {
            let names: Vec<&str> = options.keys().map(String::as_str).collect();
            let _ = writeln!(
                out,
                "\n  {} options (-o NAME=VALUE)\n    {}",
                row.name,
                wrapped(&names.join(" "), 4)
            );
        }
    }
    print_text(&out)?;
    Ok(Outcome::Done)
}
