//! From crates to wasm modules with JavaScript glue.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use wasm_bindgen_cli_support::Bindgen;

use super::page::Sources;
use super::{alike, named, nowhere};
use crate::shell::{capture, cargo, run, works};
use crate::wasm;

/// A wasm module of the bundle.
struct Module {
    /// Its name there.
    name: &'static str,
    /// The package it is made of.
    package: &'static str,
    /// The file cargo makes of that.
    file: &'static str,
}

const MODULES: [Module; 3] = [
    Module { name: "planner", package: "kvplan-web", file: "kvplan_web.wasm" },
    Module { name: "intake", package: "kvplan-web-intake", file: "kvplan_web_intake.wasm" },
    Module { name: "proof", package: "kvplan-web-proof", file: "kvplan_web_proof.wasm" },
];

/// The cargo profile, which `Cargo.toml` describes.
const PROFILE: &str = "web";
/// npm's binaryen, where someone installed it (`npm install --no-save binaryen` in `web/e2e`).
const LOCAL_OPTIMIZER: &str = "web/e2e/node_modules/.bin/wasm-opt";
/// The oldest binaryen that reads what current compilers write: Debian's 108 does not.
const OLDEST_OPTIMIZER: u32 = 120;

/// Compiles every module; the result holds `NAME.js` and `NAME.wasm` of each.
pub(super) fn build() -> Result<Sources> {
    let toolchain = wasm::present()?;
    // One after the other: built together, each would get the features that another asks of what they share.
    for module in &MODULES {
        let mut command = toolchain.cargo("build");
        run(command.args(["--locked", "--profile", PROFILE, "--package", module.package]))?;
    }
    let folder = target_folder()?.join(wasm::TARGET).join(PROFILE);
    let optimizer = optimizer();
    match &optimizer {
        Some(program) => println!("wasm-opt: {}", program.display()),
        None => println!("wasm-opt: none of version {OLDEST_OPTIMIZER} or later; going on without it"),
    }
    let mut files = Sources::new();
    for module in &MODULES {
        let (glue, wasm) = bind(module, &folder.join(module.file))?;
        let wasm = match &optimizer {
            Some(program) => optimized(program, &folder, module.name, &wasm)?,
            None => wasm,
        };
        let (glue, wasm) = named::shortly(&glue, &nowhere::placed(&wasm)?)?;
        let wasm = alike::beside_each_other(&wasm)?;
        files.insert(format!("{}.js", module.name), glue.into_bytes());
        files.insert(format!("{}.wasm", module.name), wasm);
    }
    Ok(files)
}

/// The glue, and the module without what only tools read.
fn bind(module: &Module, compiled: &Path) -> Result<(String, Vec<u8>)> {
    let mut bindgen = Bindgen::new();
    let bindgen = bindgen
        .input_path(compiled)
        .out_name(module.name)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        // Files are renamed after their content: whoever loads the glue says where the module is.
        .omit_default_module_path(true);
    let mut output =
        bindgen.generate_output().with_context(|| format!("cannot make glue for {}", compiled.display()))?;
    let inline = output.snippets().iter().filter(|(_, texts)| !texts.is_empty()).map(|(from, _)| from);
    let extra: Vec<&String> = inline.chain(output.local_modules().keys()).collect();
    if !extra.is_empty() {
        bail!("{}: the bundle leaves out JavaScript that dependencies bring: {extra:?}", module.package);
    }
    let wasm = output.wasm_mut().emit_wasm();
    Ok((output.js().to_owned(), wasm))
}

fn optimized(program: &Path, folder: &Path, name: &str, wasm: &[u8]) -> Result<Vec<u8>> {
    let [from, to] = ["glued", "small"].map(|form| folder.join(format!("{name}.{form}.wasm")));
    fs::write(&from, wasm).with_context(|| format!("cannot write {}", from.display()))?;
    run(Command::new(program).args(["-Os", "--all-features"]).arg(&from).arg("-o").arg(&to))?;
    fs::read(&to).with_context(|| format!("cannot read {}", to.display()))
}

/// A wasm-opt that is new enough: ours, or the one on PATH.
fn optimizer() -> Option<PathBuf> {
    let local = PathBuf::from(LOCAL_OPTIMIZER);
    [local, PathBuf::from("wasm-opt")].into_iter().find(|program| {
        works(Command::new(program).arg("--version"))
            && capture(Command::new(program).arg("--version")).is_ok_and(|text| is_recent(&text))
    })
}

/// Whether "wasm-opt version 132 (version_132)" is recent enough.
fn is_recent(text: &str) -> bool {
    let numbers = text.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
    numbers.max().is_some_and(|version| version >= OLDEST_OPTIMIZER)
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

/// Where cargo puts what it makes.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let text = capture(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: Metadata = serde_json::from_str(&text).context("cannot read what cargo metadata wrote")?;
    Ok(metadata.target_directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_optimizer_is_not_used() {
        assert!(is_recent("wasm-opt version 132 (version_132)"));
        assert!(!is_recent("wasm-opt version 108"));
        assert!(!is_recent("wasm-opt: not found"));
    }

    /// The glue must be made by the version that the modules were compiled with.
    #[test]
    fn the_lock_file_holds_one_version_of_wasm_bindgen_and_its_tool() {
        let lock = include_str!("../../../Cargo.lock");
        let version = |name: &str| -> Vec<&str> {
            let packages = lock.split("[[package]]").filter(|p| p.contains(&format!("name = \"{name}\"\n")));
            packages.filter_map(|p| p.lines().find(|line| line.starts_with("version"))).collect()
        };
        assert_eq!(version("wasm-bindgen").len(), 1);
        assert_eq!(version("wasm-bindgen"), version("wasm-bindgen-cli-support"));
    }
}
