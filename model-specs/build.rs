//! Embeds `models/*.toml` and `hardware/*.toml`: for each one table of records, and one sorted index from ids and aliases
//! to rows of it. Records go in as JSON, which every front end reads anyway: a browser then loads no second parser.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let models = embed("models", "MODELS", "NAMES", "model")?;
    let devices = embed("hardware", "DEVICES", "DEVICE_NAMES", "device")?;
    let code = format!(
        "/// The day of the newest record, `YYYY-MM-DD`.\nstatic DATE: &str = {:?};\n",
        models.max(devices)
    );
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("date.rs"), code)?;
    fs::write(Path::new(&out).join("efficiencies.json"), efficiencies()?)?;
    Ok(())
}

/// The fitted figures of speed, as JSON.
fn efficiencies() -> Result<String, Box<dyn Error>> {
    let file = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("speed/efficiencies.toml");
    println!("cargo::rerun-if-changed={}", file.display());
    let record: toml::Table = fs::read_to_string(&file)?.parse()?;
    Ok(serde_json::to_string(&record)?)
}

/// Writes `$OUT_DIR/{folder}.rs` with the two tables; the newest record's day.
fn embed(folder: &str, table: &str, names: &str, what: &str) -> Result<String, Box<dyn Error>> {
    println!("cargo::rerun-if-changed={folder}");
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join(folder);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&root)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort_by(|a, b| a.file_stem().cmp(&b.file_stem()));

    let mut rows = String::new();
    let mut newest = String::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for (row, file) in files.iter().enumerate() {
        let shown = file.display();
        let record: toml::Table = fs::read_to_string(file)?.parse().map_err(|e| format!("{shown}: {e}"))?;
        let id = record.get("id").and_then(toml::Value::as_str).ok_or_else(|| format!("{shown}: no `id`"))?;
        if file.file_stem().and_then(|s| s.to_str()) != Some(id) {
            return Err(format!("{shown}: the file must be named after its id `{id}`").into());
        }
        let date = record.get("date").and_then(toml::Value::as_str).unwrap_or_default();
        if date > newest.as_str() {
            date.clone_into(&mut newest);
        }
        let aliases = record.get("aliases").and_then(toml::Value::as_array).into_iter().flatten();
        for name in std::iter::once(id).chain(aliases.filter_map(toml::Value::as_str)) {
            if let Some(other) = index.insert(name.to_owned(), row) {
                return Err(format!("{shown}: `{name}` already names {}", files[other].display()).into());
            }
        }
        let json = serde_json::to_string(&record)?;
        writeln!(rows, "    Entry {{ id: {id:?}, json: {json:?} }},")?;
    }

    let mut code = format!("/// Every {what}, by id.\nstatic {table}: &[Entry] = &[\n{rows}];\n");
    writeln!(code, "/// Ids and aliases in order, each with its row of [`{table}`].")?;
    writeln!(code, "static {names}: &[(&str, usize)] = &[")?;
    for (name, row) in &index {
        writeln!(code, "    ({name:?}, {row}),")?;
    }
    code.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join(format!("{folder}.rs")), code)?;
    Ok(newest)
}
