//! A spec record as a TOML file a person can read: scalars, then one table a run, a pattern's runs inline.

use kvplan_core::spec::shape::Tensors;
use kvplan_core::spec::{Run, Shape, SpecFile};
use std::fmt::Write as _;

pub(super) fn toml(record: &SpecFile) -> Result<String, String> {
    let mut head = record.clone();
    let (layers, mtp) = (std::mem::take(&mut head.layers), std::mem::take(&mut head.mtp));
    let shape = head.shape.take();
    let mut table = toml::Table::try_from(&head).map_err(|e| e.to_string())?;
    table.remove("layers");
    let assumptions = table.remove("assumptions");
    let parameters = table.remove("parameters");
    let mut text = String::new();
    // In the order of the record's fields, which a table forgets.
    for key in [
        "id",
        "name",
        "aliases",
        "source",
        "date",
        "family",
        "llama_cpp_arch",
        "trained_context",
        "scaled_context",
        "hidden_size",
        "vocab_size",
        "heads",
        "dtype",
        "state_dtype",
        "bidirectional",
        "shape_unknown",
    ] {
        if let Some(value) = table.remove(key) {
            line(&mut text, key, &value)?;
        }
    }
    if let Some(key) = table.keys().next() {
        return Err(format!("`{key}` of the record is not written"));
    }
    if let Some(value) = parameters {
        line(&mut text, "parameters", &value)?;
    }
    if let Some(value) = assumptions {
        line(&mut text, "assumptions", &value)?;
    }
    for (name, runs) in [("layers", &layers), ("mtp", &mtp)] {
        for run in runs {
            write_run(&mut text, name, run)?;
        }
    }
    if let Some(shape) = &shape {
        write_shape(&mut text, shape)?;
    }
    Ok(text)
}

/// The weight tensors: one table outside the layers, one a kind of layer.
fn write_shape(text: &mut String, shape: &Shape) -> Result<(), String> {
    let mut head = toml::Table::try_from(shape).map_err(|e| e.to_string())?;
    for table in ["model", "kinds"] {
        head.remove(table);
    }
    text.push_str("\n[shape]\n");
    for key in ["tied", "experts_used", "notes", "layers", "mtp"] {
        match head.remove(key) {
            Some(value @ toml::Value::Array(_)) if key != "notes" => {
                writeln!(text, "{key} = {}", inline(&value)?).map_err(|e| e.to_string())?;
            }
            Some(value) => line(text, key, &value)?,
            None => {}
        }
    }
    if let Some(key) = head.keys().next() {
        return Err(format!("`{key}` of a shape is not written"));
    }
    text.push_str("\n[shape.model]\n");
    write_tensors(text, &shape.model)?;
    for kind in &shape.kinds {
        text.push_str("\n[[shape.kinds]]\n");
        write_tensors(text, kind)?;
    }
    Ok(())
}

fn write_tensors(text: &mut String, tensors: &Tensors) -> Result<(), String> {
    for (name, dims) in tensors {
        let name = if name.contains('.') { format!("{name:?}") } else { name.clone() };
        writeln!(text, "{name} = {dims:?}").map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// The order in which the fields of a run are written.
const ORDER: &[&str] = &[
    "count",
    "kind",
    "kv_heads",
    "k_dim",
    "v_dim",
    "window",
    "chunk",
    "latent_dim",
    "rope_dim",
    "indexer_dim",
    "indexer_stride",
    "indexer_shared",
    "k_heads",
    "v_heads",
    "heads",
    "nope_dim",
    "head_dim",
    "hidden",
    "head_size",
    "width",
    "inner",
    "groups",
    "state",
    "conv_kernel",
    "dim",
    "ratio",
    "qk_dim",
    "mixers",
    "layers",
];

fn line(text: &mut String, key: &str, value: &toml::Value) -> Result<(), String> {
    match value.as_array() {
        Some(items) if items.len() > 1 => {
            let items: Vec<String> = items
                .iter()
                .map(|item| Ok(format!("  {},\n", inline(item)?)))
                .collect::<Result<_, String>>()?;
            writeln!(text, "{key} = [\n{}]", items.concat())
        }
        Some(_) | None => writeln!(text, "{key} = {}", inline(value)?),
    }
    .map_err(|e| e.to_string())
}

/// A value on one line, tables with their fields in order.
fn inline(value: &toml::Value) -> Result<String, String> {
    match value {
        toml::Value::Table(table) => {
            let fields =
                in_order(table)?.into_iter().map(|(key, value)| Ok(format!("{key} = {}", inline(value)?)));
            Ok(format!("{{ {} }}", fields.collect::<Result<Vec<_>, String>>()?.join(", ")))
        }
        toml::Value::Array(items) => {
            let items = items.iter().map(inline).collect::<Result<Vec<_>, String>>()?;
            Ok(format!("[{}]", items.join(", ")))
        }
        toml::Value::String(_)
        | toml::Value::Integer(_)
        | toml::Value::Float(_)
        | toml::Value::Boolean(_)
        | toml::Value::Datetime(_) => Ok(value.to_string()),
    }
}

fn in_order(table: &toml::Table) -> Result<Vec<(&str, &toml::Value)>, String> {
    if let Some(key) = table.keys().find(|key| !ORDER.contains(&key.as_str()) && *key != "total") {
        return Err(format!("where is `{key}` written in a run?"));
    }
    Ok(ORDER.iter().chain(&["total"]).filter_map(|key| table.get(*key).map(|value| (*key, value))).collect())
}

fn write_run(text: &mut String, name: &str, run: &Run) -> Result<(), String> {
    let table = toml::Table::try_from(run).map_err(|e| e.to_string())?;
    writeln!(text, "\n[[{name}]]").map_err(|e| e.to_string())?;
    in_order(&table)?.into_iter().try_for_each(|(key, value)| line(text, key, value))
}
