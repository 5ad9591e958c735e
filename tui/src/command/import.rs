//! `kvplan import`: the model spec a file is understood as.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ImportArgs;
use crate::load;
use crate::show::{self, NOTE, wrapped};
use std::io::Write as _;

/// Runs the command: the spec on standard output, what was assumed on standard error.
pub(crate) fn run(args: &ImportArgs) -> anyhow::Result<Outcome> {
    let model = match load::file(&args.file) {
        Ok(model) => model,
        Err(error) => {
            show::refuse(&error);
            return Ok(Outcome::Refused);
        }
    };
    if args.json {
        print_json(model.record())?;
    } else {
        print_text(&toml::to_string(model.record())?)?;
    }
    let mut err = anstream::stderr();
    for assumption in &model.record().assumptions {
        writeln!(err, "{NOTE}assumed{NOTE:#}: {}", wrapped(assumption, 9))?;
    }
    Ok(Outcome::Done)
}
