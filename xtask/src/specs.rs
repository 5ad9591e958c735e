//! `cargo xtask specs`: the catalogue from the collected configs. The work is done where the configs are, in `tests`, so
//! that this crate builds without the planner.

use anyhow::Result;

use crate::shell::{cargo, run as run_command};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Say which files differ, and change nothing
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "-p", "kvplan-tests", "--bin", "specs"]);
    if args.check {
        command.args(["--", "--check"]);
    }
    run_command(&mut command)
}
