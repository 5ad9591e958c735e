//! One file a command.

pub(crate) mod batch;
pub(crate) mod codecs;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod encode;
pub(crate) mod engines;
pub(crate) mod export;
pub(crate) mod fit;
pub(crate) mod hardware;
pub(crate) mod import;
pub(crate) mod models;
pub(crate) mod plan;
pub(crate) mod reconcile;
pub(crate) mod schema;
pub(crate) mod validate;

use serde::Serialize;
use std::io::Write as _;

/// Pretty JSON on standard output.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value)?;
    writeln!(out)?;
    Ok(())
}

/// Text on standard output, colours stripped where it is no terminal.
pub(crate) fn print_text(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
