//! `kvplan models`: search the catalogue.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ModelsArgs;
use crate::show::{self, Align, Table};
use kvplan_core::plan::{Decimal, ModelRef, Request, plan_model};
use kvplan_core::spec::{ModelSpec, catalog};
use serde::Serialize;
use std::fmt::Write as _;

/// One model, as listed.
#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    aliases: &'a [String],
    family: Option<&'a str>,
    parameters: Option<u64>,
    trained_context: Option<u64>,
    layers: Vec<(String, u64)>,
    /// Growth per token far beyond every window, 16-bit cache.
    bytes_per_token: Option<Decimal>,
    source: Option<&'a str>,
}

/// Runs the command.
pub(crate) fn run(args: &ModelsArgs) -> anyhow::Result<Outcome> {
    let words: Vec<String> = args.query.iter().map(|w| w.to_lowercase()).collect();
    let mut rows = Vec::new();
    for model in catalog::all() {
        let model = match model {
            Ok(model) => model,
            Err(error) => {
                show::refuse(&error);
                return Ok(Outcome::Refused);
            }
        };
        if words.iter().all(|word| matches(model, word)) {
            rows.push(row(model));
        }
    }
    if args.json {
        print_json(&rows)?;
        return Ok(Outcome::Done);
    }
    if rows.is_empty() {
        let near = catalog::nearest(&words.join("-"));
        let hint = if near.is_empty() { String::new() } else { format!("; nearest: {}", near.join(", ")) };
        show::complain(&format!("no model matches `{}`{hint}", args.query.join(" ")));
        return Ok(Outcome::Refused);
    }
    print_text(&render(&rows))?;
    Ok(Outcome::Done)
}

fn matches(model: &ModelSpec, word: &str) -> bool {
    let record = model.record();
    std::iter::once(model.id())
        .chain(record.aliases.iter().map(String::as_str))
        .chain(record.family.as_deref())
        .any(|text| text.contains(word))
        || model.name().to_lowercase().contains(word)
}

fn row(model: &'static ModelSpec) -> Row<'static> {
    let record = model.record();
    let mut request = Request::of(ModelRef::Id(String::new()));
    request.context = Some(1 << 40);
    Row {
        id: model.id(),
        name: model.name(),
        aliases: &record.aliases,
        family: model.family(),
        parameters: record.parameters.as_ref().map(|p| p.total),
        trained_context: record.trained_context,
        layers: model.kinds().iter().filter(|k| k.layers() > 0).map(|k| (k.label(), k.layers())).collect(),
        bytes_per_token: plan_model(model, &request).ok().map(|plan| plan.kv.bytes_per_token),
        source: record.source.as_deref(),
    }
}

/// Width of a terminal nobody has widened.
const COLUMNS: usize = 80;
/// What the columns between id and layers take, separators included.
const MIDDLE: usize = 2 + 3 * 2 + 6 + 7 + 9 + 2;

fn render(rows: &[Row<'_>]) -> String {
    let mut table = Table::new(&[
        ("id", Align::Left),
        ("params", Align::Right),
        ("context", Align::Right),
        ("B/token", Align::Right),
        ("layers", Align::Left),
    ]);
    let id_width = rows.iter().map(|row| row.id.len()).max().unwrap_or(0);
    let room = COLUMNS.saturating_sub(id_width + MIDDLE);
    for row in rows {
        table.row([
            row.id.to_owned(),
            row.parameters.map_or_else(String::new, billions),
            row.trained_context.map_or_else(String::new, binary_thousands),
            row.bytes_per_token
                .map_or_else(String::new, |b| b.whole().map_or_else(|| b.to_string(), show::grouped)),
            fitted(&row.layers, room),
        ]);
    }
    let mut out = table.render();
    let models = show::count(u64::try_from(rows.len()).unwrap_or(0), "model");
    let _ = writeln!(out, "\n  {models}; B/token: growth beyond every window, 16-bit cache");
    out
}

/// Layer kinds, the same kind once, cut to the room there is.
fn fitted(layers: &[(String, u64)], room: usize) -> String {
    let mut merged: Vec<(&str, u64)> = Vec::new();
    for (kind, n) in layers {
        match merged.iter_mut().find(|(known, _)| known == kind) {
            Some((_, sum)) => *sum += n,
            None => merged.push((kind, *n)),
        }
    }
    let text: Vec<String> = merged.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let text = text.join(" ");
    if text.chars().count() <= room {
        return text;
    }
    text.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

/// `131072` as `128k`, `1048576` as `1M`, anything else as it is.
fn binary_thousands(n: u64) -> String {
    match n {
        n if n >= 1 << 20 && n.is_multiple_of(1 << 20) => format!("{}M", n >> 20),
        n if n >= 1 << 10 && n.is_multiple_of(1 << 10) => format!("{}k", n >> 10),
        n => n.to_string(),
    }
}

/// `8190735360` as `8.2B`, on integers.
fn billions(n: u64) -> String {
    let tenths = n.saturating_add(50_000_000) / 100_000_000;
    if tenths >= 1000 { format!("{}B", tenths / 10) } else { format!("{}.{}B", tenths / 10, tenths % 10) }
}
