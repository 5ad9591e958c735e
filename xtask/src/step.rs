//! The steps of `cargo xtask test`. A new check is a variant here, and the compiler asks for its purpose and its command.

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::shell::{capture, cargo, run};
use crate::{browser, data, setup, wasm, web};

/// One step, declared in the order it runs: cheap ones first, and the tests last so that their count closes the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    Setup,
    Fmt,
    Data,
    Clippy,
    ClippyWasm,
    Doctest,
    Web,
    Browser,
    Test,
}

/// The packages that must build for the browser.
const WASM_PACKAGES: [&str; 5] =
    ["kvplan-core", "kvplan-kernels", "kvplan-web", "kvplan-web-intake", "kvplan-web-proof"];

impl Step {
    /// The name `--only` takes.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::Setup => "setup",
            Step::Fmt => "fmt",
            Step::Data => "data",
            Step::Clippy => "clippy",
            Step::ClippyWasm => "clippy-wasm",
            Step::Doctest => "doctest",
            Step::Web => "web",
            Step::Browser => "browser",
            Step::Test => "test",
        }
    }

    pub(crate) fn purpose(self) -> &'static str {
        match self {
            Step::Setup => "install what this machine lacks",
            Step::Fmt => "the code is formatted",
            Step::Data => "the carried files keep the rules of the house",
            Step::Clippy => "no warnings, every target",
            Step::ClippyWasm => "no warnings, built for the browser",
            Step::Doctest => "the worked examples in the documentation hold",
            Step::Web => "the browser planner builds and keeps its weight",
            Step::Browser => "the page, and the kernels on WebGPU, in a headless browser",
            Step::Test => "every unit and integration test",
        }
    }

    pub(crate) fn run(self) -> Result<()> {
        match self {
            Step::Setup => setup::all(),
            Step::Fmt => run(cargo().args(["fmt", "--all", "--check"])),
            Step::Data => data::check(),
            Step::Clippy => {
                run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
            }
            Step::ClippyWasm => wasm::lint(&WASM_PACKAGES),
            Step::Doctest => run(cargo().args(["test", "--doc", "--workspace"])),
            Step::Web => web::build(),
            Step::Browser => browser::test(),
            Step::Test => test(),
        }
    }
}

/// Runs every test, and fails if there was none to run.
fn test() -> Result<()> {
    if setup::has_nextest() {
        return run(cargo().args(["nextest", "run", "--workspace", "--no-tests", "fail"]));
    }
    println!("cargo-nextest is not installed: using cargo test, which runs the same tests more slowly");
    let targets = ["test", "--workspace", "--lib", "--bins", "--tests"];
    let list = capture(cargo().args(targets).args(["--", "--list", "--format", "terse"]))?;
    if !list.lines().any(|line| line.ends_with(": test")) {
        bail!("cargo test found no test to run");
    }
    run(cargo().args(targets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_answers_to_the_name_it_shows() {
        for &step in Step::value_variants() {
            assert_eq!(Step::from_str(step.name(), false), Ok(step));
        }
    }
}
