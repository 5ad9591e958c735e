//! GGUF headers: metadata and the tensor table, read without touching the tensor data.
//!
//! [`read`] takes a [`ByteSource`](super::source::ByteSource) and returns a [`Header`]; [`merge`] joins those of a
//! split model. [`Metadata`] also comes from JSON. Every count is held against the bytes that remain before anything
//! is allocated for it, so a header costs memory in proportion to its own length; tokenizer tables are walked over,
//! not copied. [`spec_file`] reads metadata as llama.cpp does, by the rows of [`Arch`]. Format: ggml's `docs/gguf.md` (versions 2 and 3) and what `gguf.cpp` accepts.

pub mod arch;
mod cursor;
mod error;
mod ggml_type;
mod header;
mod hparams;
mod import;
mod metadata;
mod split;
mod value;

pub use arch::Arch;
pub use cursor::Endian;
pub use error::{Fault, GgufError};
pub use ggml_type::{GgmlType, Layout};
pub use header::{Header, read};
pub use import::spec_file;
pub use metadata::{Metadata, MetadataError, PerLayer};
pub use split::{Part, SplitError, merge};
pub use value::{Array, MAX_KEPT_ARRAY, MAX_KEPT_STRING, MAX_NESTING, Value, ValueType};
