//! Safetensors: the header of a file, and the index of a sharded model.
//!
//! A header is an 8-byte little-endian length and that much JSON (`dtype`, `shape`, `data_offsets` per tensor); the
//! data follows without holes. It tells what the weights weigh, not how a cache is kept: head counts, windows and
//! layer kinds are in the publisher's `config.json` ([`needs_config`]).

mod dtype;
mod header;
mod index;
mod strict;

pub use dtype::Dtype;
pub use header::{Header, MAX_HEADER, SafetensorsError, parse, read};
pub use index::{Index, IndexError};

use crate::error::PlanError;

/// The answer to a question about the cache asked of a safetensors header alone: tensor names and shapes hint at
/// layers and heads, but nothing in the file says how they are used, so nothing is inferred.
#[must_use]
pub fn needs_config() -> PlanError {
    PlanError::missing(
        "config.json",
        "a safetensors header gives tensor names, shapes and bytes; the layers, heads and windows of the cache are in \
         the publisher's config.json: import that file",
    )
}
