//! `cargo xtask hardware [--check]`: writes `model-specs/hardware/*.toml` from the tables in `model-specs/sources`, or
//! says which file differs from them.
//!
//! `hardware.csv` is the collected table, kept as it was collected; `hardware-added.csv` has devices it lacks, in the same
//! columns; `hardware-amended.csv` changes single cells, each with its reason; `hardware-names.csv` gives every row its
//! id, its aliases, the memory sizes sold, and the group its measured speed is shared with.

mod record;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

const FOLDER: &str = "model-specs/hardware";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Look, and change nothing
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check { check() } else { write() }
}

/// Fails when the folder is not what the tables say.
pub(crate) fn check() -> Result<()> {
    let wanted = files()?;
    let found = present()?;
    let mut wrong: Vec<String> = Vec::new();
    for (name, text) in &wanted {
        match found.get(name) {
            None => wrong.push(format!("{FOLDER}/{name} is missing")),
            Some(there) if there != text => wrong.push(format!("{FOLDER}/{name} differs from its source")),
            Some(_) => {}
        }
    }
    wrong.extend(
        found
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .map(|name| format!("{FOLDER}/{name} has no source")),
    );
    if !wrong.is_empty() {
        bail!("run `cargo xtask hardware`:\n  {}", wrong.join("\n  "));
    }
    println!("{} devices equal their source", wanted.len());
    Ok(())
}

fn write() -> Result<()> {
    let wanted = files()?;
    for name in present()?.keys().filter(|name| !wanted.contains_key(*name)) {
        fs::remove_file(Path::new(FOLDER).join(name))?;
    }
    for (name, text) in &wanted {
        let path = Path::new(FOLDER).join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("{} devices written", wanted.len());
    Ok(())
}

/// Every file of the folder, by name, as the tables say it reads.
fn files() -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    for row in source::read()? {
        for record in record::of(&row)? {
            let name = format!("{}.toml", record.id);
            let text = format!(
                "# From model-specs/sources; `cargo xtask hardware` writes this.\n{}",
                toml::to_string(&record)?
            );
            if files.insert(name.clone(), text).is_some() {
                bail!("two rows make {name}");
            }
        }
    }
    Ok(files)
}

fn present() -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(FOLDER).with_context(|| format!("cannot list {FOLDER}"))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.ends_with(".toml") {
            found.insert(name.to_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(found)
}
