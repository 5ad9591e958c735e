//! Answers for people: aligned, labelled, within 80 columns; colours only on a terminal.

mod detected;
mod fit;
pub(crate) mod inverse;
pub(crate) mod plan;
mod serving;
mod table;
pub(crate) mod validate;

pub(crate) use detected::{detected, machine};
pub(crate) use table::{Align, Table};

use anstyle::{AnsiColor, Style};
use kvplan_core::error::PlanError;
use kvplan_core::unit::Bytes;
pub(crate) use kvplan_core::unit::grouped;
use std::io::Write as _;

/// Emphasis.
pub(crate) const BOLD: Style = Style::new().bold();
/// Secondary text.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What went wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What deserves a second look.
pub(crate) const NOTE: Style = AnsiColor::Yellow.on_default();

/// `n thing` or `n things`.
pub(crate) fn count(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// A size for reading.
pub(crate) fn size(bytes: Bytes) -> String {
    kvplan_core::unit::Binary(bytes).to_string()
}

/// Says on standard error what an answer rests on.
pub(crate) fn note(message: &str) {
    // As in `complain`.
    let _ = writeln!(anstream::stderr(), "{NOTE}{message}{NOTE:#}");
}

/// One error line on standard error.
pub(crate) fn complain(message: &str) {
    let mut out = anstream::stderr();
    // Nobody is left to tell when standard error is gone.
    let _ = writeln!(out, "{BAD}error{BAD:#}: {message}");
}

/// A refusal on standard error: what, where, which value.
pub(crate) fn refuse(error: &PlanError) {
    complain(&error.message);
    let mut out = anstream::stderr();
    let value = if error.value.is_null() { String::new() } else { format!(" = {}", error.value) };
    let field = if error.field.is_empty() { String::new() } else { format!("  at {}{value}", error.field) };
    let _ = writeln!(out, "  {DIM}{}{field}{DIM:#}", error.kind);
}

/// Words wrapped at 80 columns, continuation lines indented by `indent`.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut column = indent;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > indent && column + 1 + width > 80 {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_wrap_at_80_columns_under_their_indent() {
        let text = wrapped(&"word ".repeat(40), 4);
        assert!(text.lines().all(|l| l.chars().count() <= 80));
        assert!(text.lines().skip(1).all(|l| l.starts_with("    word")));
    }
}
