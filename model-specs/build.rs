//! Embeds `models/*.toml`: one table of texts, and one sorted index from ids and aliases to rows of it.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=models");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("models");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "toml"));
    files.sort_by(|a, b| a.file_stem().cmp(&b.file_stem()));

    let mut rows = String::new();
    let mut index: BTreeMap<String, usize> = BTreeMap::new();
    for (row, file) in files.iter().enumerate() {
        let shown = file.display();
        let table: toml::Table = fs::read_to_string(file)?.parse().map_err(|e| format!("{shown}: {e}"))?;
        let id = table.get("id").and_then(toml::Value::as_str).ok_or_else(|| format!("{shown}: no `id`"))?;
        if file.file_stem().and_then(|s| s.to_str()) != Some(id) {
            return Err(format!("{shown}: the file must be named after its id `{id}`").into());
        }
        let aliases = table.get("aliases").and_then(toml::Value::as_array).into_iter().flatten();
        let names = std::iter::once(id).chain(aliases.filter_map(toml::Value::as_str));
        for name in names {
            if let Some(other) = index.insert(name.to_owned(), row) {
                return Err(format!("{shown}: `{name}` already names {}", files[other].display()).into());
            }
        }
        writeln!(rows, "    Entry {{ id: {id:?}, text: include_str!({:?}) }},", file.display().to_string())?;
    }

    let mut code = format!("/// Every model, by id.\npub static MODELS: &[Entry] = &[\n{rows}];\n");
    code.push_str("/// Ids and aliases in order, each with its row of [`MODELS`].\npub static NAMES: &[(&str, usize)] = &[\n");
    for (name, row) in &index {
        writeln!(code, "    ({name:?}, {row}),")?;
    }
    code.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("models.rs"), code)?;
    Ok(())
}
