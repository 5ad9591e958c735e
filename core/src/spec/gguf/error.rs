//! What a GGUF header got wrong: where, about which key or tensor, and how.

use super::metadata::MetadataError;
use crate::error::PlanError;
use crate::spec::source::SourceError;

/// A GGUF header that cannot be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{} (at byte {at})", match field.as_str() { "" => fault.to_string(), field => format!("{field}: {fault}") })]
pub struct GgufError {
    /// Offset in the file.
    pub at: u64,
    /// The metadata key (`llama.block_count`) or tensor name; empty where it is the file as a whole.
    pub field: String,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a GGUF header.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The magic is another.
    #[error("not a GGUF file: it starts with {0:02x?}, not with \"GGUF\"")]
    Magic([u8; 4]),
    /// A version other than 2 and 3.
    #[error("GGUF version {0}; versions 2 and 3 are read")]
    Version(u32),
    /// The file ends inside the header.
    #[error("the file ends: {wanted} more bytes are needed, {remaining} remain")]
    Truncated {
        /// Bytes needed here.
        wanted: u64,
        /// Bytes left in the file.
        remaining: u64,
    },
    /// Only a prefix of the file was fetched.
    #[error("the header is longer than the {have} bytes fetched: at least {need} are needed")]
    NotFetched {
        /// Bytes fetched.
        have: u64,
        /// Length of the shortest prefix that gets further.
        need: u64,
    },
    /// The source failed.
    #[error("{0}")]
    Source(String),
    /// More things are announced than the rest of the file can hold.
    #[error("{count} {what} cannot fit in the remaining {remaining} bytes")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many are announced.
        count: u64,
        /// Bytes left in the file.
        remaining: u64,
    },
    /// An empty key, or a key or tensor name beyond the format's 65535 bytes.
    #[error("a name of {0} bytes; 1 to 65535 are allowed")]
    NameLength(u64),
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    Utf8,
    /// An unknown metadata value type.
    #[error("value type {0}; types 0 to 12 exist")]
    ValueType(u32),
    /// A bool that is neither 0 nor 1.
    #[error("a bool stored as {0}; 0 and 1 are allowed")]
    Bool(u8),
    /// Arrays of arrays of arrays ….
    #[error("arrays nested deeper than {0}")]
    Nesting(u32),
    /// The key was there already.
    #[error("the key occurs twice")]
    DuplicateKey,
    /// The tensor was there already.
    #[error("the tensor is listed twice")]
    DuplicateTensor,
    /// `general.alignment` is no power of two.
    #[error("an alignment of {0}; a power of two is needed")]
    Alignment(u64),
    /// A key that steers the reader holds something else than it must.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// Too many dimensions.
    #[error("{0} dimensions; ggml has at most 4")]
    Dimensions(u32),
    /// An unknown or withdrawn tensor type.
    #[error("tensor type {0}, which ggml does not read")]
    TensorType(u32),
    /// Rows that are no whole number of blocks.
    #[error("rows of {row} elements; {name} stores blocks of {block}")]
    Row {
        /// Elements of the contiguous dimension.
        row: u64,
        /// ggml's name of the type.
        name: &'static str,
        /// Elements per block.
        block: u64,
    },
    /// Element or byte counts past 64 bits.
    #[error("its size exceeds 64 bits")]
    Overflow,
    /// Tensor data elsewhere than right after the tensor before.
    #[error("data at offset {found}; ggml expects {expected}, right after the tensor before")]
    Offset {
        /// The offset in the file.
        found: u64,
        /// Where ggml expects the data.
        expected: u64,
    },
}

impl GgufError {
    pub(super) const fn new(at: u64, fault: Fault) -> Self {
        Self { at, field: String::new(), fault }
    }

    /// The same error, about `field` unless an inner one is named already.
    pub(super) fn about(mut self, field: &str) -> Self {
        if self.field.is_empty() {
            field.clone_into(&mut self.field);
        }
        self
    }

    pub(super) fn source(at: u64, need: u64, error: SourceError) -> Self {
        Self::new(
            at,
            match error {
                SourceError::NotFetched { have } => Fault::NotFetched { have, need },
                SourceError::Failed(message) => Fault::Source(message),
            },
        )
    }
}

impl From<GgufError> for PlanError {
    fn from(error: GgufError) -> Self {
        Self::invalid(error.field.clone(), error.to_string())
    }
}
