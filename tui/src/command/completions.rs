//! `kvplan completions`: completion scripts, generated from the command line's own definition.

use crate::Outcome;
use crate::args::{Cli, CompletionsArgs};
use clap::CommandFactory as _;
use std::io::Write as _;

/// Runs the command.
pub(crate) fn run(args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kvplan", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Outcome::Done)
}
