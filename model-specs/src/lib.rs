//! Model and hardware data: one TOML file a model under `models/`, one a device under `hardware/`, each with its source and
//! date, and the efficiencies fitted to published speeds.
//!
//! This crate holds texts and an index, nothing else; `kvplan-core` parses them, one at a time, when asked for. With the
//! feature `embedded` they are part of the program. Without it somebody gives them, once, as the text that [`written`]
//! writes: the browser planner fetches it beside its module, so that a change of data is no change of code.

mod text;

pub use text::Malformed;

use std::sync::OnceLock;

/// A catalogued model or device: its id and its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The catalogue id, also the file's name.
    pub id: &'static str,
    /// The record, field by field as its TOML file has it, as JSON.
    pub json: &'static str,
}

/// Entries, and how they are found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Table {
    /// Every entry, by id.
    pub entries: &'static [Entry],
    /// Ids and aliases in order, lower case, each with its row of `entries`.
    pub names: &'static [(&'static str, usize)],
}

impl Table {
    /// The row that `name` (an id or an alias, lower case) stands for.
    #[must_use]
    pub fn row_of(&self, name: &str) -> Option<usize> {
        let at = self.names.binary_search_by_key(&name, |(known, _)| known).ok()?;
        self.names.get(at).map(|(_, row)| *row)
    }
}

/// Everything that is catalogued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Models.
    pub models: Table,
    /// Devices.
    pub devices: Table,
    /// Efficiencies fitted to published speed measurements (`speed/efficiencies.toml`), as JSON.
    pub efficiencies: &'static str,
    /// The day of the newest record, `YYYY-MM-DD`.
    pub date: &'static str,
}

static GIVEN: OnceLock<Catalogue> = OnceLock::new();

/// What is catalogued: what was given, else what is embedded; nothing where neither is.
#[must_use]
pub fn catalogue() -> &'static Catalogue {
    GIVEN.get().unwrap_or(&embedded::CATALOGUE)
}

/// Gives what another build of this crate wrote ([`written`]), before anything is looked up; it is kept for as long as the
/// program runs. Only the first gift counts.
///
/// # Errors
/// A text that is none.
pub fn give(text: String) -> Result<(), Malformed> {
    let catalogue = text::read(text)?;
    let _only_the_first = GIVEN.set(catalogue);
    Ok(())
}

/// Models, none where they are neither given nor embedded.
#[must_use]
pub fn models() -> &'static Table {
    &catalogue().models
}

/// Devices, none where they are neither given nor embedded.
#[must_use]
pub fn devices() -> &'static Table {
    &catalogue().devices
}

/// The catalogue as a text, for a program that does not embed it.
#[must_use]
pub fn written() -> String {
    text::write(catalogue())
}

#[cfg(feature = "embedded")]
mod embedded {
    use super::{Catalogue, Entry, Table};

    include!(concat!(env!("OUT_DIR"), "/models.rs"));
    include!(concat!(env!("OUT_DIR"), "/hardware.rs"));
    include!(concat!(env!("OUT_DIR"), "/date.rs"));

    pub(super) static CATALOGUE: Catalogue = Catalogue {
        models: Table { entries: MODELS, names: NAMES },
        devices: Table { entries: DEVICES, names: DEVICE_NAMES },
        efficiencies: include_str!(concat!(env!("OUT_DIR"), "/efficiencies.json")),
        date: DATE,
    };
}

#[cfg(not(feature = "embedded"))]
mod embedded {
    use super::{Catalogue, Table};

    const NONE: Table = Table { entries: &[], names: &[] };

    pub(super) static CATALOGUE: Catalogue =
        Catalogue { models: NONE, devices: NONE, efficiencies: "", date: "" };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_and_alias_finds_its_row() {
        for table in [models(), devices()] {
            assert!(table.entries.len() > 50 && table.names.len() >= table.entries.len());
            for (name, row) in table.names {
                assert_eq!(table.row_of(name), Some(*row));
            }
            assert_eq!(table.row_of("no-such-thing"), None);
        }
    }
}
