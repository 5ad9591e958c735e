//! `cargo xtask web`: the browser planner as a folder of files that any static host can serve, `web/dist`.
//!
//! - `module`: compiles the three wasm modules and makes their JavaScript glue: `planner`, loaded with the page; `intake`,
//!   loaded when something is dropped or pasted (it carries the importers); and `proof`, loaded by a worker when someone
//!   asks for the proof (it carries the kernels and wgpu);
//! - `alike`: puts functions that are alike beside each other, which makes a module smaller on the wire;
//! - `nowhere` and `named`: leave out where panics stand in the source, and long names that only a module and its glue share;
//! - `page`: resolves the references between files, names each after its content, so that a browser may keep it for ever;
//! - `packed`: brotli and gzip twins of every file, for servers that send them as they are;
//! - `budget`: what the first load and what follows may weigh;
//! - `serve`: `cargo xtask serve`, with the headers a host should send.

mod alike;
mod budget;
mod module;
mod named;
mod nowhere;
mod packed;
mod page;
mod serve;
mod watch;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::shell::{capture, cargo};
pub(crate) use module::target_folder;
pub(crate) use serve::{ServeArgs, Server, serve};

/// Where the bundle goes.
pub(crate) const DIST: &str = "web/dist";
/// Hand-written files of the page.
const PAGE: &str = "web/page";

/// Browsers run only what comes from the page's own host, and talk to nothing else. `wasm-unsafe-eval` is what compiling
/// wasm takes; there is no inline script or style.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'";

/// One file of the bundle.
pub(crate) struct Placed {
    /// The name in `web/page`, or a module's.
    logical: String,
    /// The name in the bundle.
    name: String,
    bytes: Vec<u8>,
}

/// Builds the bundle and says what it weighs.
///
/// # Errors
/// What does not compile, a file that refers to one that is not there or is referred to by none, a bundle over its
/// budget.
pub(crate) fn build() -> Result<()> {
    let mut sources = module::build()?;
    sources.extend(read_page(Path::new(PAGE))?);
    // Written by a program of its own, so that it is today's where this one watches for changes.
    let catalogue =
        ["run", "--quiet", "--locked", "--package", "kvplan-model-specs", "--example", "catalogue"];
    sources.insert("catalogue.txt".to_owned(), capture(cargo().args(catalogue))?.into_bytes());
    let values = BTreeMap::from([("content-security-policy", POLICY)]);
    let placed = page::place(&sources, &values, budget::is_kept_when_used)?;
    let packed = packed::all(&placed)?;
    write(Path::new(DIST), &packed)?;
    budget::check(&packed)
}

fn read_page(folder: &Path) -> Result<page::Sources> {
    let mut files = page::Sources::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            bail!("{}: names of the page's files are text", path.display());
        };
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        files.insert(name.to_owned(), bytes);
    }
    Ok(files)
}

/// Writes the bundle beside the old one and swaps them, so that a server never sees half of one.
fn write(dist: &Path, files: &[packed::Packed]) -> Result<()> {
    let fresh = dist.with_extension("new");
    remove(&fresh)?;
    fs::create_dir_all(&fresh).with_context(|| format!("cannot make {}", fresh.display()))?;
    for file in files {
        for (extension, bytes) in file.forms() {
            let path = PathBuf::from(format!("{}{extension}", fresh.join(&file.name).display()));
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    remove(dist)?;
    fs::rename(&fresh, dist).with_context(|| format!("cannot make {}", dist.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
