//! The `setup` step: what a fresh machine lacks. It reaches for the network only for what is missing, so a machine that
//! has everything can be offline.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::{capture, cargo, run, works};
use crate::{browser, wasm};

/// lavapipe, and the library that finds drivers.
const VULKAN_PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];

/// Brings the machine to where every other step can run.
pub(crate) fn all() -> Result<()> {
    nextest();
    vulkan()?;
    let toolchain = wasm::ensure()?;
    println!("wasm32 standard library: {toolchain}");
    browser::set_up()
}

pub(crate) fn has_nextest() -> bool {
    works(cargo().args(["nextest", "--version"]))
}

/// Installs cargo-nextest. Not having it is no failure: the test step says so and uses `cargo test`.
fn nextest() {
    if has_nextest() {
        println!("cargo-nextest: present");
    } else if let Err(error) = run(cargo().args(["install", "cargo-nextest", "--locked"])) {
        println!("cargo-nextest: {error:#}; going on without it");
    }
}

/// Installs a Vulkan driver that runs on the CPU, where there is none. Without one the GPU tests are reported as ignored.
fn vulkan() -> Result<()> {
    let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let drivers = folders.into_iter().flat_map(std::fs::read_dir).flatten().count();
    if drivers > 0 || !cfg!(target_os = "linux") {
        println!("Vulkan driver: present");
    } else if can_apt_install() {
        apt_install(&VULKAN_PACKAGES)?;
    } else {
        println!("Vulkan driver: none, so GPU tests will be ignored; {}", please_install(&VULKAN_PACKAGES));
    }
    Ok(())
}

/// Whether packages can be installed here without asking: Debian's tools, and the right to use them.
pub(crate) fn can_apt_install() -> bool {
    has_apt() && is_root()
}

/// Installs Debian packages, their lists refreshed first since a fresh machine's are empty or old.
pub(crate) fn apt_install(packages: &[&str]) -> Result<()> {
    if !can_apt_install() {
        bail!("{}", please_install(packages));
    }
    run(apt_get().arg("update"))?;
    run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

/// The one command for a person to run where we may not.
pub(crate) fn please_install(packages: &[&str]) -> String {
    format!(
        "missing Debian packages; please run:\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn has_apt() -> bool {
    works(Command::new("apt-get").arg("--version"))
}

fn is_root() -> bool {
    capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}
