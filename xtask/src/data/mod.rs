//! `cargo xtask data --check`: the rules every carried file keeps, whatever is in it. What the numbers mean is the tests'
//! business; this is about files that would break elsewhere, outgrow a reader, or weigh down every clone.

mod file;
mod rules;

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell::capture;
use file::Carried;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Look, and change nothing
    #[arg(long, required = true)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if args.check { check() } else { Ok(()) }
}

/// Checks every file git knows of or would add, so that a mistake shows before it is committed.
pub(crate) fn check() -> Result<()> {
    let mut git = Command::new("git");
    let list = capture(git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    let mut checked: usize = 0;
    let mut found = Vec::new();
    for path in list.split('\0').filter(|path| !path.is_empty()) {
        if let Some(file) = Carried::read(path)? {
            found.extend(rules::broken_by(&file));
            checked = checked.saturating_add(1);
        }
    }
    if checked == 0 {
        bail!("git lists no file: nothing was checked");
    }
    if !found.is_empty() {
        bail!("in the carried files, {} to put right:\n  {}", found.len(), found.join("\n  "));
    }
    println!("{checked} files checked");
    crate::hardware::check()?;
    crate::fit_speed::check()?;
    Ok(())
}
