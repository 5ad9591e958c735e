//! `cargo xtask fit-speed [--check | --score FILE]`: fits `model-specs/speed/efficiencies.toml` to the published
//! measurements of `model-specs/sources/speed.csv.gz`, and writes `docs/speed.md` with the errors on rows the fit did not
//! see. The formula is the planner's own (`kvplan_core::speed`); only the names' values are solved for here.

mod facts;
mod render;
mod rows;
mod score;
mod solve;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};
use kvplan_core::speed::{Coefficients, Interval, Priors, coefficients};

use rows::{Row, Table, What};
use score::{Scored, Unseen};

const COEFFICIENTS: &str = "model-specs/speed/efficiencies.toml";
const PAGE: &str = "docs/speed.md";
const MEASUREMENTS: &str = "model-specs/sources/speed.csv.gz";

/// Where every figure starts, before a measurement speaks.
const PRIORS: Priors = Priors {
    weight_efficiency: 0.8,
    kv_efficiency: 0.8,
    compute_efficiency: 0.3,
    prefill_efficiency: 0.4,
    layer_seconds: 60e-6,
    without_flash_attention: 4.0,
    link_efficiency: 0.8,
    disk_bytes_per_s: 1.5e9,
};

/// Parts the measurements are cut into, whole groups of (source, hardware, model) each.
const FOLDS: u64 = 10;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Look, and change nothing
    #[arg(long)]
    check: bool,
    /// Print the error of the shipped figures on another table with the same columns
    #[arg(long, value_name = "CSV[.GZ]", conflicts_with = "check")]
    score: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(file) = &args.score {
        let table = rows::read(file)?;
        print!("{}", render::scores(&score::all(&table.rows, coefficients()?)));
        return Ok(());
    }
    if args.check {
        return check();
    }
    for (path, text) in made()? {
        fs::write(path, text).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}

/// Fails when a generated file is not what the measurements give.
pub(crate) fn check() -> Result<()> {
    for (path, text) in made()? {
        let there = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        if there != text {
            bail!("{path} differs from its source: run `cargo xtask fit-speed`");
        }
    }
    println!("the speed figures equal their source");
    Ok(())
}

/// Both generated files.
fn made() -> Result<[(&'static str, String); 2]> {
    let table = rows::read(MEASUREMENTS)?;
    let unseen = cross_validated(&table.rows, Unseen::Bench)?;
    let by_device = cross_validated(&table.rows, Unseen::Device)?;
    let by_row = cross_validated(&table.rows, Unseen::Row)?;
    let mut spreads = score::intervals(unseen.iter(), Unseen::Bench);
    let unmeasured = score::intervals(by_device.iter(), Unseen::Device);
    spreads.extend(unmeasured.into_iter().filter(|(key, _)| key.starts_with("unmeasured/")));
    let fitted = fitted(&table, spreads)?;
    let page = render::page(&table, &fitted, &unseen, &by_device, &by_row);
    Ok([(COEFFICIENTS, render::coefficients(&fitted)?), (PAGE, page)])
}

/// The figures from all rows.
fn fitted(table: &Table, spread: BTreeMap<String, Interval>) -> Result<Coefficients> {
    let all: Vec<&Row> = table.rows.iter().collect();
    let mut coefficients = from(&all)?;
    coefficients.spread = spread;
    coefficients.date.clone_from(&table.newest);
    coefficients.source =
        format!("{} published measurements from {} sources; docs/speed.md", table.rows.len(), table.sources);
    Ok(coefficients)
}

/// The figures from some rows, without spreads.
fn from(rows: &[&Row]) -> Result<Coefficients> {
    Ok(Coefficients {
        date: String::new(),
        source: String::new(),
        decode_rows: count(rows, What::Decode),
        prefill_rows: count(rows, What::Prefill),
        priors: PRIORS,
        spread: BTreeMap::new(),
        decode: solve::effects(rows, What::Decode)?,
        prefill: solve::effects(rows, What::Prefill)?,
    })
}

fn count(rows: &[&Row], what: What) -> u64 {
    rows.iter().filter(|row| row.what == what).fold(0, |n, _| n + 1)
}

/// Every row estimated by figures fitted without it and without all that lie in one part with it.
fn cross_validated(rows: &[Row], unseen: Unseen) -> Result<Vec<Scored<'_>>> {
    let fold_of = |row: &Row| hashed(&unseen.unit(row)) % FOLDS;
    let mut scored = Vec::new();
    for fold in 0..FOLDS {
        let seen: Vec<&Row> = rows.iter().filter(|row| fold_of(row) != fold).collect();
        let mut figures = from(&seen)?;
        // Intervals, too, are judged by errors of other folds.
        figures.spread = BTreeMap::new();
        scored.extend(
            rows.iter().filter(|row| fold_of(row) == fold).map(|row| score::one(row, &figures, fold)),
        );
    }
    score::with_intervals_of_other_folds(&mut scored, FOLDS, unseen);
    Ok(scored)
}

/// FNV-1a: the same folds on every machine.
fn hashed(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use score::{Kind, median_error, within};

    /// The promise of the speed model, on rows whose (source, hardware, model) the fit did not see.
    #[test]
    fn errors_on_unseen_rows_stay_within_what_the_page_says() {
        crate::shell::enter_workspace_root().unwrap();
        let table = rows::read(MEASUREMENTS).unwrap();
        let unseen = cross_validated(&table.rows, Unseen::Bench).unwrap();
        let of = |kind| unseen.iter().filter(move |s| Kind::of(s) == kind);
        let dense = median_error(of(Kind::DenseDecode));
        let moe = median_error(of(Kind::MoeDecode));
        assert!(dense <= DENSE, "dense decode: {dense}");
        assert!(moe <= MOE, "mixture of experts decode: {moe}");
        let inside = within(of(Kind::DenseDecode).chain(of(Kind::MoeDecode)));
        assert!(inside >= INSIDE, "inside P10 to P90: {inside}");
    }

    const DENSE: f64 = 0.08;
    const MOE: f64 = 0.12;
    const INSIDE: f64 = 0.75;
}
