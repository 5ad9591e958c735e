//! Model data, embedded: one TOML file a model under `models/`, each with its source and date.
//!
//! This crate holds texts and an index, nothing else; `kvplan-core` parses them, one at a time, when asked for.

/// A catalogued model: its id and its spec as written.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The catalogue id, also the file's name.
    pub id: &'static str,
    /// The spec record, TOML.
    pub text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/models.rs"));

/// The row of [`MODELS`] that `name` (an id or an alias, lower case) stands for.
#[must_use]
pub fn row_of(name: &str) -> Option<usize> {
    NAMES.binary_search_by_key(&name, |(n, _)| n).ok().and_then(|i| NAMES.get(i)).map(|(_, row)| *row)
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
    }
}
