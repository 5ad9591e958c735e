//! The catalogue as one text: a line with the form and the day, a line of efficiencies, a line a model, an empty line, a line
//! a device. A line of an entry is its id, its aliases and its record, between tabs; JSON holds neither tabs nor line
//! breaks.

use super::{Catalogue, Entry, Table};
use std::fmt;

/// What the first line begins with; another number is another form.
const FORM: &str = "kvplan catalogue 1 ";

/// A text that is no catalogue of this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} is not of a catalogue of this version", self.line)
    }
}

impl std::error::Error for Malformed {}

pub(super) fn write(catalogue: &Catalogue) -> String {
    let mut out = format!("{FORM}{}\n{}\n", catalogue.date, catalogue.efficiencies);
    write_table(&catalogue.models, &mut out);
    out.push('\n');
    write_table(&catalogue.devices, &mut out);
    out
}

fn write_table(table: &Table, out: &mut String) {
    for (row, entry) in table.entries.iter().enumerate() {
        out.push_str(entry.id);
        for (alias, _) in table.names.iter().filter(|(name, of)| *of == row && *name != entry.id) {
            out.push('\t');
            out.push_str(alias);
        }
        out.push('\t');
        out.push_str(entry.json);
        out.push('\n');
    }
}

/// Reads what [`write`] wrote. The text and its index live as long as the program: there is one catalogue.
pub(super) fn read(text: String) -> Result<Catalogue, Malformed> {
    let text: &'static str = Box::leak(text.into_boxed_str());
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let mut next = |after: usize| lines.next().ok_or(Malformed { line: after + 1 });
    let (_, first) = next(0)?;
    let date = first.strip_prefix(FORM).ok_or(Malformed { line: 1 })?;
    let (_, efficiencies) = next(1)?;
    let models = read_table(&mut lines)?;
    let devices = read_table(&mut lines)?;
    Ok(Catalogue { models, devices, efficiencies, date })
}

/// Entries up to an empty line or the end.
fn read_table(lines: &mut impl Iterator<Item = (usize, &'static str)>) -> Result<Table, Malformed> {
    let (mut entries, mut names) = (Vec::new(), Vec::new());
    for (at, line) in lines.take_while(|(_, line)| !line.is_empty()) {
        let (known_as, json) = line.rsplit_once('\t').ok_or(Malformed { line: at })?;
        let row = entries.len();
        names.extend(known_as.split('\t').map(|name| (name, row)));
        let id = known_as.split('\t').next().unwrap_or(known_as);
        entries.push(Entry { id, json });
    }
    names.sort_unstable();
    Ok(Table { entries: Vec::leak(entries), names: Vec::leak(names) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{catalogue, written};

    #[test]
    fn what_is_written_reads_as_what_is_embedded() {
        assert_eq!(read(written()).unwrap(), *catalogue());
    }

    #[test]
    fn a_text_of_another_form_or_without_an_id_is_named_by_its_line() {
        assert_eq!(read(String::new()), Err(Malformed { line: 1 }));
        assert_eq!(read("kvplan catalogue 2 x\n{}\n".to_owned()), Err(Malformed { line: 1 }));
        assert_eq!(read(format!("{FORM}2026-11-23\n{{}}\n{{}}\n")), Err(Malformed { line: 3 }));
    }
}
