//! `kvplan`: plan a model's KV cache to the byte before loading it.
//!
//! The command line: `args` says what can be typed, `load` turns a typed model into something plannable,
//! `command/` has one file a command, `detect/` looks at this machine, `show/` formats answers for people, `screen/` is the planner. Every figure comes from `kvplan-core`.

mod args;
mod command;
mod detect;
mod load;
mod quiet;
mod screen;
mod show;

#[doc(hidden)]
pub use screen::bench;

use args::{Cli, Command};
use clap::{CommandFactory as _, Parser as _};
use std::process::ExitCode;

/// How a command ended, in the contract's exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Answered.
    Done,
    /// Answered, and the answer is no: it does not fit, or a check did not hold.
    Failed,
    /// Bad input, or refused.
    Refused,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Failed => Self::from(1),
            Outcome::Refused => Self::from(2),
        }
    }
}

/// Runs the command line.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Some(_) if cli.state.is_some() => {
            show::complain("--state opens the planner, and takes no command beside it");
            Ok(Outcome::Refused)
        }
        Some(command) => run(command),
        None => planner(cli.state.as_deref()),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            show::complain(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Plan(args) => command::plan::run(&args),
        Command::Batch(args) => command::batch::run(&args),
        Command::Fit(args) => command::fit::run(&args),
        Command::Compare(args) => command::compare::run(&args),
        Command::Export(args) => command::export::run(&args),
        Command::Reconcile(args) => command::reconcile::run(&args),
        Command::Import(args) => command::import::run(&args),
        Command::Models(args) => command::models::run(&args),
        Command::Hardware(args) => command::hardware::run(&args),
        Command::Codecs(args) => command::codecs::run(&args),
        Command::Engines(args) => command::engines::run(&args),
        Command::Encode(args) => command::encode::encode(&args),
        Command::Decode(args) => command::encode::decode(&args),
        Command::Validate(args) => command::validate::run(&args),
        Command::Schema(args) => command::schema::run(&args),
        Command::Completions(args) => command::completions::run(&args),
    }
}

/// The planner on a terminal; the help text where there is none.
fn planner(state: Option<&str>) -> anyhow::Result<Outcome> {
    use std::io::IsTerminal as _;
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return screen::run(state);
    }
    if state.is_some() {
        show::complain("--state opens the planner, which needs a terminal");
        return Ok(Outcome::Refused);
    }
    print_help()
}

fn print_help() -> anyhow::Result<Outcome> {
    Cli::command().print_help()?;
    Ok(Outcome::Done)
}

/// A reader that went away (`kvplan models | head`) is not an error of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| {
            let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            io.or_else(|| cause.downcast_ref::<serde_json::Error>()?.io_error_kind())
        })
        .any(|kind| kind == std::io::ErrorKind::BrokenPipe)
}
