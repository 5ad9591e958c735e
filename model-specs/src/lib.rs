//! Model and hardware data, embedded: one TOML file a model under `models/`, one a device under `hardware/`, each with
//! its source and date.
//!
//! This crate holds texts and an index, nothing else; `kvplan-core` parses them, one at a time, when asked for.

/// A catalogued model or device: its id and its record.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The catalogue id, also the file's name.
    pub id: &'static str,
    /// The record, field by field as its TOML file has it, as JSON.
    pub json: &'static str,
}

/// Efficiencies fitted to published speed measurements (`speed/efficiencies.toml`), as JSON.
pub static EFFICIENCIES: &str = include_str!(concat!(env!("OUT_DIR"), "/efficiencies.json"));

include!(concat!(env!("OUT_DIR"), "/models.rs"));
include!(concat!(env!("OUT_DIR"), "/hardware.rs"));
include!(concat!(env!("OUT_DIR"), "/date.rs"));

/// The row of [`MODELS`] that `name` (an id or an alias, lower case) stands for.
#[must_use]
pub fn row_of(name: &str) -> Option<usize> {
    search(NAMES, name)
}

/// The row of [`DEVICES`] that `name` (an id or an alias, lower case) stands for.
#[must_use]
pub fn device_row_of(name: &str) -> Option<usize> {
    search(DEVICE_NAMES, name)
}

fn search(index: &[(&str, usize)], name: &str) -> Option<usize> {
    index.binary_search_by_key(&name, |(n, _)| n).ok().and_then(|i| index.get(i)).map(|(_, row)| *row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_and_alias_finds_its_row() {
        for (name, row) in NAMES {
            assert_eq!(row_of(name), Some(*row));
        }
        assert_eq!(row_of("no-such-model"), None);
        for (name, row) in DEVICE_NAMES {
            assert_eq!(device_row_of(name), Some(*row));
        }
        assert_eq!(device_row_of("no-such-device"), None);
    }
}
