//! The project's own commands. `cargo xtask test` is the whole check a change must pass, on a fresh machine as on a
//! developer's; the other commands are the parts of it that are useful alone.

mod browser;
mod data;
mod fit_speed;
mod hardware;
mod runner;
mod schemas;
mod setup;
mod shell;
mod specs;
mod step;
mod wasm;
mod web;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::runner::Selection;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's own commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing, then lint and test everything
    Test(Selection),
    /// Look after the files the project carries
    Data(data::Args),
    /// Make `model-specs/models/` from the collected configs
    Specs(specs::Args),
    /// Make `model-specs/schema/` from the types that parse and print
    Schemas,
    /// Fit the speed model to the published measurements
    FitSpeed(fit_speed::Args),
    /// Write the device records from their source tables
    Hardware(hardware::Args),
    /// Build the browser planner into `web/dist`
    Web,
    /// Take pictures of the built browser planner for the documentation
    Screenshots,
    /// Build the browser planner and serve it to this machine
    Serve(web::ServeArgs),
}

fn main() -> ExitCode {
    match dispatch(&Cli::parse()) {
        Ok(code) => code,
        // Worded here, since returning it would add a stack trace wherever RUST_BACKTRACE is set.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: &Cli) -> Result<ExitCode> {
    shell::enter_workspace_root()?;
    match &cli.command {
        Command::Test(selection) => Ok(runner::run(selection)),
        Command::Data(args) => data::run(args).map(|()| ExitCode::SUCCESS),
        Command::Schemas => schemas::run().map(|()| ExitCode::SUCCESS),
        Command::Specs(args) => specs::run(args).map(|()| ExitCode::SUCCESS),
        Command::FitSpeed(args) => fit_speed::run(args).map(|()| ExitCode::SUCCESS),
        Command::Hardware(args) => hardware::run(args).map(|()| ExitCode::SUCCESS),
        Command::Web => web::build().map(|()| ExitCode::SUCCESS),
        Command::Screenshots => browser::screenshots().map(|()| ExitCode::SUCCESS),
        Command::Serve(args) => web::serve(args).map(|()| ExitCode::SUCCESS),
    }
}
