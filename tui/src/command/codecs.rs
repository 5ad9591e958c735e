//! `kvplan codecs`: the cache formats, what they store and where they come from.

use super::{print_json, print_text};
use crate::Outcome;
use crate::args::ListArgs;
use crate::show::{Align, Table};
use kvplan_core::codec::Codec;

/// Runs the command.
pub(crate) fn run(args: &ListArgs) -> anyhow::Result<Outcome> {
    let codecs = Codec::list();
    if args.json {
        print_json(&codecs)?;
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(&[
        ("codec", Align::Left),
        ("bits", Align::Right),
        ("block", Align::Right),
        ("win", Align::Right),
        ("enc", Align::Left),
        ("engines", Align::Left),
    ]);
    for codec in &codecs {
        table.row([
            codec.name.to_owned(),
            stored_bits(codec.bits_per_element),
            format!("{} B / {}", codec.block_bytes, codec.block_elements),
            if codec.residual_tokens == 0 { String::new() } else { codec.residual_tokens.to_string() },
            if codec.arithmetic { "yes" } else { "" }.to_owned(),
            named(codec.engines),
        ]);
    }
    let mut out = table.render();
    out.push_str("\n  bits: stored per element, scales and padding included\n");
    out.push_str("  win: tokens kept in full precision\n");
    out.push_str("  enc: known to `kvplan encode` and `decode`\n");
    out.push_str("  axes, constraints, every engine and source: --json\n");
    print_text(&out)?;
    Ok(Outcome::Done)
}

/// The first engines, and how many more there are: the table stays within 80 columns.
fn named(engines: &[&str]) -> String {
    match engines {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first, rest @ ..] => format!("{first} +{}", rest.len()),
    }
}

/// Up to four decimals, trailing zeros dropped.
fn stored_bits(bits: f64) -> String {
    let text = format!("{bits:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
