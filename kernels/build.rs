//! Turns `wgsl/**/*.wgsl` into the `SHADERS` table: imports expanded, validated, reflected, linted. A broken shader is
//! a build error that names its file, and Rust never repeats a workgroup size, a binding or a parameter's place.

#![expect(clippy::panic, reason = "a build script reports by failing")]

#[path = "build/alone.rs"]
mod alone;
#[path = "build/emit.rs"]
mod emit;
#[path = "build/import.rs"]
mod import;
#[path = "build/lint.rs"]
mod lint;
#[path = "build/reflect.rs"]
mod reflect;
#[path = "build/tables.rs"]
mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=wgsl");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rustc-check-cfg=cfg(gpu_adapter)");
    println!("cargo::rustc-check-cfg=cfg(tint)");
    if has_adapter() {
        println!("cargo::rustc-cfg=gpu_adapter");
        println!("cargo::metadata=gpu_adapter=yes");
    }
    if on_path("tint") {
        println!("cargo::rustc-cfg=tint");
    }
    let sources = import::Sources(read(Path::new("wgsl")));
    let shaders = sources.expand().unwrap_or_else(|error| panic!("{error}"));
    let reflected = shaders.into_iter().map(|(name, source)| {
        reflect::shader(&name, source).unwrap_or_else(|error| panic!("{name}: {error}"))
    });
    let reflected: Vec<_> = reflected.collect();
    let code = emit::table(&reflected).unwrap_or_else(|error| panic!("{error}"));
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for (file, text) in [("shaders.rs", code.shaders), ("baselines.rs", code.baselines)] {
        fs::write(out.join(file), text).unwrap_or_else(|error| panic!("cannot write {file}: {error}"));
    }
}

/// Every WGSL file by its path without extension.
fn read(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let (Ok(inner), Ok(text)) = (path.strip_prefix(root), fs::read_to_string(&path)) {
                let name = inner.with_extension("").display().to_string().replace('\\', "/");
                files.insert(name, text);
            }
        }
    }
    files
}

/// Whether tests can expect a GPU. Decided here and not at run time, so that a test without one is reported as ignored.
fn has_adapter() -> bool {
    println!("cargo::rerun-if-env-changed=VK_DRIVER_FILES");
    println!("cargo::rerun-if-env-changed=VK_ICD_FILENAMES");
    let target = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if target != "linux" {
        return target == "macos" || target == "windows";
    }
    if env::var_os("VK_DRIVER_FILES").or_else(|| env::var_os("VK_ICD_FILENAMES")).is_some() {
        return true;
    }
    // A path that is missing is looked at again in every build, so a driver installed later is noticed.
    let drivers = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"].map(Path::new);
    let found = drivers.iter().find(|folder| holds_json(folder));
    println!("cargo::rerun-if-changed={}", found.unwrap_or(&drivers[0]).display());
    found.is_some()
}

fn holds_json(folder: &Path) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.into_iter().any(|file| file.path().extension().is_some_and(|e| e == "json"))
}

fn on_path(program: &str) -> bool {
    println!("cargo::rerun-if-env-changed=PATH");
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
