//! The tables, joined: one row a product.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

const COLLECTED: &str = "model-specs/sources/hardware.csv";
const ADDED: &str = "model-specs/sources/hardware-added.csv";
const AMENDED: &str = "model-specs/sources/hardware-amended.csv";
const NAMES: &str = "model-specs/sources/hardware-names.csv";

/// A product as collected, cells as text, with its place in the catalogue.
pub(super) struct Row {
    pub(super) cells: BTreeMap<String, String>,
    pub(super) naming: Naming,
    /// Why cells differ from the collected table.
    pub(super) amended: Vec<String>,
}

/// A row of `hardware-names.csv`.
#[derive(Debug, Deserialize)]
pub(super) struct Naming {
    name: String,
    pub(super) id: String,
    pub(super) speed_class: String,
    pub(super) memory_gb_sold: String,
    pub(super) aliases: String,
}

#[derive(Debug, Deserialize)]
struct Amendment {
    name: String,
    field: String,
    value: String,
    reason: String,
}

impl Row {
    /// The cell of that column; empty where the table has nothing.
    pub(super) fn cell(&self, column: &str) -> Result<&str> {
        self.cells.get(column).map(String::as_str).ok_or_else(|| anyhow!("no column `{column}`"))
    }
}

/// All rows, in the tables' order.
pub(super) fn read() -> Result<Vec<Row>> {
    let mut namings: BTreeMap<String, Naming> = BTreeMap::new();
    for naming in table::<Naming>(NAMES)? {
        if let Some(twice) = namings.insert(naming.name.clone(), naming) {
            bail!("{NAMES}: `{}` twice", twice.name);
        }
    }
    let mut amendments = table::<Amendment>(AMENDED)?;
    let mut rows = Vec::new();
    for path in [COLLECTED, ADDED] {
        for mut cells in table::<BTreeMap<String, String>>(path)? {
            let name = cells.get("name").cloned().unwrap_or_default();
            let naming =
                namings.remove(&name).ok_or_else(|| anyhow!("{NAMES}: no row for `{name}` of {path}"))?;
            let mut amended = Vec::new();
            for change in amendments.extract_if(.., |change| change.name == name) {
                let cell = cells.get_mut(&change.field);
                *cell.ok_or_else(|| anyhow!("{AMENDED}: no column `{}`", change.field))? = change.value;
                amended.push(format!("{}: {}", change.field, change.reason));
            }
            rows.push(Row { cells, naming, amended });
        }
    }
    if let Some(name) = namings.keys().next() {
        bail!("{NAMES}: `{name}` is in no table");
    }
    if let Some(change) = amendments.first() {
        bail!("{AMENDED}: `{}` is in no table", change.name);
    }
    Ok(rows)
}

fn table<T: for<'de> Deserialize<'de>>(path: &str) -> Result<Vec<T>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("cannot read {path}"))?;
    reader.deserialize().collect::<Result<_, _>>().with_context(|| format!("cannot read {path}"))
}
