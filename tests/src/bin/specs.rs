//! Writes `model-specs/models/`, or with `--check` says whether it is what the collected configs give.

use kvplan_tests::catalog::{File, generate};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let check = std::env::args().any(|arg| arg == "--check");
    match run(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../model-specs/models")), check) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, check: bool) -> Result<String, String> {
    let wanted = generate()?;
    let mut there: BTreeMap<String, String> = kvplan_tests::catalog::read(folder)?;
    let mut stale: Vec<&File> = Vec::new();
    for file in &wanted {
        if there.remove(&file.name).as_ref() != Some(&file.text) {
            stale.push(file);
        }
    }
    if check {
        let names: Vec<&str> =
            stale.iter().map(|f| f.name.as_str()).chain(there.keys().map(String::as_str)).collect();
        if names.is_empty() {
            return Ok(format!("{} specs are what the configs give", wanted.len()));
        }
        return Err(format!("not what the configs give, run `cargo xtask specs`: {}", names.join(", ")));
    }
    for file in &stale {
        std::fs::write(folder.join(&file.name), &file.text).map_err(|e| format!("{}: {e}", file.name))?;
    }
    for name in there.keys() {
        std::fs::remove_file(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
    }
    Ok(format!("{} specs, {} written, {} removed", wanted.len(), stale.len(), there.len()))
}
