//! `kvplan codecs`: the cache formats.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ListArgs;
use crate::show::{Align, Table};
use kvplan_core::codec::Codec;

/// Runs the command.
pub(crate) fn run(args: &ListArgs) -> anyhow::Result<Outcome> {
    if args.json {
        let names: Vec<&str> = Codec::ALL.iter().map(|c| c.name()).collect();
        print_json(&names)?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&[("codec", Align::Left)]);
    for codec in Codec::ALL {
        table.row([codec.name()]);
    }
    print_text(&table.render())?;
    Ok(Outcome::Done)
}
