//! The `browser` step: the built page in a headless Chromium, driven by the tests in `web/e2e`. Without a browser or Node
//! the step fails and says what to run: a page nobody opened is not a page that works.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, bail};

use crate::setup::{apt_install, can_apt_install, please_install};
use crate::shell::{capture, cargo, run, works};
use crate::web::{DIST, Server, target_folder};

const TESTS: &str = "web/e2e";
/// Names the browser to use; it has to be a Chromium, for only that brings an adapter without a GPU.
const VARIABLE: &str = "KVPLAN_BROWSER";
const BROWSERS: [&str; 6] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];
/// What playwright-core runs on.
const OLDEST_NODE: u32 = 20;

/// Installs a browser and Node, as root, where they are missing, and the package that drives the one from the other.
pub(crate) fn set_up() -> Result<()> {
    let missing: Vec<&str> =
        [("chromium", browser().is_none()), ("nodejs", !has("node")), ("npm", !has("npm"))]
            .into_iter()
            .filter_map(|(package, missing)| missing.then_some(package))
            .collect();
    if !missing.is_empty() {
        if !can_apt_install() {
            println!("browser: the step `browser` will fail; {}", please_install(&missing));
            return Ok(());
        }
        apt_install(&missing)?;
    }
    // `npm ci` fetches what the lock file says and nothing else; a folder that is already so is left alone.
    let lock = "package-lock.json";
    if !same(&Path::new(TESTS).join(lock), &Path::new(TESTS).join("node_modules/.locked.json")) {
        run(npm().args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]))?;
        std::fs::copy(Path::new(TESTS).join(lock), Path::new(TESTS).join("node_modules/.locked.json"))
            .context("cannot note what was installed")?;
    }
    println!("browser: present, with the package that drives it");
    Ok(())
}

/// Runs the page's tests against the bundle that the step `web` built.
pub(crate) fn test() -> Result<()> {
    // One file after the other: each wants all cores for its shaders.
    drive(&["--test", "--test-concurrency=1", "--test-reporter=spec"])
}

/// Writes pictures of the built page into `docs/`, at the widths and in the themes people see it in.
pub(crate) fn screenshots() -> Result<()> {
    drive(&["screenshots.mjs"])
}

/// Runs Node in the tests' folder with `args`, while the built page is served.
fn drive(args: &[&str]) -> Result<()> {
    let Some(browser) = browser() else {
        bail!("no Chromium to test the page in ({VARIABLE} may name one); {}", please_install(&["chromium"]));
    };
    let version =
        capture(Command::new("node").arg("--version")).context("no Node to drive the browser with")?;
    if !is_recent(&version) {
        bail!(
            "Node {} is too old for the package that drives the browser: {OLDEST_NODE} or newer",
            version.trim()
        );
    }
    if !Path::new(TESTS).join("node_modules/playwright-core").is_dir() {
        bail!("nothing to drive the browser with: run `cargo xtask test --only setup` first");
    }
    if !Path::new(DIST).join("index.html").is_file() {
        bail!("no page to test: run `cargo xtask web` first");
    }
    // The page's figures are held against the command line's.
    run(cargo().args(["build", "--quiet", "--locked", "--package", "kvplan"]))?;
    let program = target_folder()?.join("debug").join(format!("kvplan{}", std::env::consts::EXE_SUFFIX));
    let server = Server::bind(0, Path::new(DIST))?;
    let address = server.address();
    thread::spawn(|| server.run());
    let mut node = Command::new("node");
    node.args(args).current_dir(TESTS);
    run(node.env("KVPLAN_URL", address).env("KVPLAN_PROGRAM", program).env(VARIABLE, browser))
}

fn browser() -> Option<PathBuf> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let known = BROWSERS.map(PathBuf::from);
    named.into_iter().chain(known).find_map(|program| located(&program))
}

/// The full path of a program that is there: Playwright does not look on PATH.
fn located(program: &Path) -> Option<PathBuf> {
    if program.is_absolute() {
        return program.is_file().then(|| program.to_path_buf());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn has(program: &str) -> bool {
    works(Command::new(program).arg("--version"))
}

fn npm() -> Command {
    let mut command = Command::new("npm");
    command.current_dir(TESTS);
    command
}

fn same(a: &Path, b: &Path) -> bool {
    matches!((std::fs::read(a), std::fs::read(b)), (Ok(a), Ok(b)) if a == b)
}

/// Whether "v20.20.2" is recent enough.
fn is_recent(version: &str) -> bool {
    let major = version.trim().trim_start_matches('v').split('.').next();
    major.and_then(|major| major.parse::<u32>().ok()).is_some_and(|major| major >= OLDEST_NODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_node_is_told_from_a_new_one() {
        assert!(is_recent("v20.20.2\n") && is_recent("v24.0.0"));
        assert!(!is_recent("v18.19.0") && !is_recent("node"));
    }

    #[test]
    fn a_program_is_found_on_the_path_or_where_it_is_said_to_be() {
        let sh = located(Path::new("sh")).unwrap();
        assert!(sh.is_absolute());
        assert_eq!(located(&sh), Some(sh));
        assert_eq!(located(Path::new("/no/such/browser")), None);
    }
}
