//! Where the wasm32 standard library comes from. rustup's prebuilt one is the first choice (seconds); where its download
//! is refused, Debian's `-web` packages bring a compiler and the library's source, and cargo builds it (minutes).
//! `KVPLAN_WASM=rustup` or `KVPLAN_WASM=debian` forces one of the two.

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::shell::{capture, cargo, run, works};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
const VARIABLE: &str = "KVPLAN_WASM";
const PACKAGES: [&str; 5] = ["rust-web-src", "libstd-rust-web-dev", "rustc-web", "cargo-web", "lld-22"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-22";

/// A toolchain that can build for the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The compiler in use, with the prebuilt library rustup installs.
    Rustup,
    /// Debian's compiler, building the library from its source.
    Debian,
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Toolchain::Rustup => "prebuilt, from rustup",
            Toolchain::Debian => "built from source, from Debian's packages",
        })
    }
}

impl Toolchain {
    /// `cargo VERB` for wasm32, to which the caller adds packages and options.
    pub(crate) fn cargo(self, verb: &str) -> Command {
        match self {
            Toolchain::Rustup => {
                let mut command = cargo();
                command.args([verb, "--target", TARGET]);
                command
            }
            Toolchain::Debian => {
                let mut command = Command::new(DEBIAN_CARGO);
                command
                    .env_remove("CARGO")
                    .env("RUSTC", DEBIAN_RUSTC)
                    // -Zbuild-std is a nightly option; this is the published way to use it from a stable compiler.
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
                    .env("CARGO_PROFILE_DEV_PANIC", "abort")
                    .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
                    .args([verb, "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
                command
            }
        }
    }
}

/// What is known about the machine when choosing.
#[derive(Clone, Debug, Default)]
struct Facts {
    forced: Option<Toolchain>,
    present: Vec<Toolchain>,
    installable: Vec<Toolchain>,
    /// Installs already tried in this run without success.
    failed: Vec<Toolchain>,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Use(Toolchain),
    Install(Toolchain),
    AskPerson,
}

/// The choice: what is present before what must be fetched, rustup before Debian, nothing tried twice.
fn next(facts: &Facts) -> Next {
    let wanted = match facts.forced {
        Some(toolchain) => vec![toolchain],
        None => vec![Toolchain::Rustup, Toolchain::Debian],
    };
    let first = |ok: &dyn Fn(&Toolchain) -> bool| wanted.iter().copied().find(ok);
    if let Some(toolchain) = first(&|it| facts.present.contains(it)) {
        return Next::Use(toolchain);
    }
    match first(&|it| facts.installable.contains(it) && !facts.failed.contains(it)) {
        Some(toolchain) => Next::Install(toolchain),
        None => Next::AskPerson,
    }
}

/// The toolchain to build with, installed first if it is missing.
pub(crate) fn ensure() -> Result<Toolchain> {
    let mut failed = Vec::new();
    loop {
        let facts = look(failed.clone())?;
        match next(&facts) {
            Next::Use(toolchain) => return Ok(toolchain),
            Next::Install(toolchain) => {
                if let Err(error) = install(toolchain) {
                    println!("{error:#}");
                }
                // Also after a success: one that leaves nothing usable must not be repeated for ever.
                failed.push(toolchain);
            }
            Next::AskPerson => bail!(advice(&facts)),
        }
    }
}

/// The toolchain to build with, which a step before this one installed.
pub(crate) fn present() -> Result<Toolchain> {
    match next(&look(Vec::new())?) {
        Next::Use(toolchain) => Ok(toolchain),
        Next::Install(_) | Next::AskPerson => {
            bail!("no wasm32 standard library here: run `cargo xtask test --only setup` first")
        }
    }
}

/// Lints `packages` for the browser. Debian ships no clippy for its web compiler, so there the compiler's own warnings
/// are all there is, and it says so.
pub(crate) fn lint(packages: &[&str]) -> Result<()> {
    let toolchain = present()?;
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    match toolchain {
        Toolchain::Rustup => run(toolchain.cargo("clippy").args(packages).args(["--", "-D", "warnings"])),
        Toolchain::Debian => {
            println!("no clippy for this compiler: checking with its own warnings only");
            let deny = ["-Zwarnings", "--config", "build.warnings=\"deny\""];
            run(toolchain.cargo("check").args(deny).args(packages))
        }
    }
}

fn look(failed: Vec<Toolchain>) -> Result<Facts> {
    let forced = forced(std::env::var(VARIABLE).ok().as_deref())?;
    let both = [Toolchain::Rustup, Toolchain::Debian];
    let present = both.into_iter().filter(|&it| is_present(it)).collect();
    let installable = both.into_iter().filter(|&it| is_installable(it)).collect();
    Ok(Facts { forced, present, installable, failed })
}

fn forced(value: Option<&str>) -> Result<Option<Toolchain>> {
    match value {
        None | Some("") => Ok(None),
        Some("rustup") => Ok(Some(Toolchain::Rustup)),
        Some("debian") => Ok(Some(Toolchain::Debian)),
        Some(other) => bail!("{VARIABLE} is {other:?}; it takes \"rustup\" or \"debian\""),
    }
}

fn is_present(toolchain: Toolchain) -> bool {
    match toolchain {
        Toolchain::Rustup => {
            let mut rustc = Command::new("rustc");
            let folder = capture(rustc.args(["--print", "target-libdir", "--target", TARGET]));
            folder.is_ok_and(|folder| Path::new(folder.trim()).is_dir())
        }
        Toolchain::Debian => {
            let programs = [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_LINKER];
            programs.iter().all(|program| Path::new(program).is_file()) && has_library_source()
        }
    }
}

fn has_library_source() -> bool {
    let sysroot = capture(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]));
    sysroot.is_ok_and(|it| Path::new(it.trim()).join("lib/rustlib/src/rust/library/std").is_dir())
}

fn is_installable(toolchain: Toolchain) -> bool {
    match toolchain {
        Toolchain::Rustup => works(Command::new("rustup").arg("--version")),
        Toolchain::Debian => setup::can_apt_install(),
    }
}

fn install(toolchain: Toolchain) -> Result<()> {
    match toolchain {
        Toolchain::Rustup => run(Command::new("rustup").args(["target", "add", TARGET])),
        Toolchain::Debian => setup::apt_install(&PACKAGES),
    }
    .with_context(|| format!("cannot install the wasm32 standard library ({toolchain})"))
}

fn advice(facts: &Facts) -> String {
    match facts.forced {
        Some(Toolchain::Rustup) => {
            format!("no wasm32 standard library; please run:\n  rustup target add {TARGET}")
        }
        Some(Toolchain::Debian) | None => setup::please_install(&PACKAGES),
    }
}

#[cfg(test)]
mod tests {
    use super::Toolchain::{Debian, Rustup};
    use super::*;

    /// A machine where both could be installed and nothing is.
    fn fresh() -> Facts {
        Facts { installable: vec![Rustup, Debian], ..Facts::default() }
    }

    #[test]
    fn a_fresh_machine_tries_rustup_first() {
        assert_eq!(next(&fresh()), Next::Install(Rustup));
    }

    #[test]
    fn a_refused_download_falls_back_to_debian() {
        assert_eq!(next(&Facts { failed: vec![Rustup], ..fresh() }), Next::Install(Debian));
    }

    #[test]
    fn without_rustup_debian_is_used() {
        assert_eq!(next(&Facts { installable: vec![Debian], ..fresh() }), Next::Install(Debian));
    }

    #[test]
    fn nothing_is_fetched_where_either_is_present() {
        assert_eq!(next(&Facts { present: vec![Rustup, Debian], ..fresh() }), Next::Use(Rustup));
        assert_eq!(next(&Facts { present: vec![Debian], ..fresh() }), Next::Use(Debian));
    }

    #[test]
    fn forcing_debian_ignores_a_present_rustup() {
        let facts = Facts { forced: Some(Debian), present: vec![Rustup], ..fresh() };
        assert_eq!(next(&facts), Next::Install(Debian));
        assert_eq!(next(&Facts { present: vec![Rustup, Debian], ..facts }), Next::Use(Debian));
    }

    #[test]
    fn without_root_and_without_rustup_a_person_is_given_the_command() {
        let facts = Facts::default();
        assert_eq!(next(&facts), Next::AskPerson);
        assert!(advice(&facts).contains("sudo apt-get install"), "{}", advice(&facts));
        assert!(advice(&facts).ends_with("rust-web-src libstd-rust-web-dev rustc-web cargo-web lld-22"));
    }

    #[test]
    fn when_every_install_failed_a_person_is_asked_instead_of_trying_again() {
        assert_eq!(next(&Facts { failed: vec![Rustup, Debian], ..fresh() }), Next::AskPerson);
    }

    #[test]
    fn the_variable_takes_two_names_and_refuses_others() {
        assert_eq!(forced(None).unwrap(), None);
        assert_eq!(forced(Some("debian")).unwrap(), Some(Debian));
        assert_eq!(forced(Some("rustup")).unwrap(), Some(Rustup));
        assert!(forced(Some("Debian")).unwrap_err().to_string().contains("\"Debian\""));
    }
}
