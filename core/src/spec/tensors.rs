//! What a weights file says it holds: names, shapes, types, and exact bytes.

use super::gguf::GgmlType;
use super::safetensors::Dtype;
use crate::unit::{Bytes, Elements, Overflow};
use std::collections::BTreeMap;

/// How a tensor's elements are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StoredType {
    /// A ggml type, in a GGUF file.
    Ggml(GgmlType),
    /// A safetensors dtype.
    Safetensors(Dtype),
}

impl StoredType {
    /// The format's own name for it (`q4_K`, `BF16`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ggml(t) => t.name(),
            Self::Safetensors(t) => t.name(),
        }
    }
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// Its dimensions in the file's own order: GGUF counts the contiguous dimension first, safetensors last.
    pub shape: Vec<u64>,
    /// How its elements are stored.
    pub stored: StoredType,
    /// Product of the shape (1 for a scalar).
    pub elements: Elements,
    /// Its data, without the padding between tensors.
    pub bytes: Bytes,
}

/// The tensors of a weights file, or of all parts of one, in file order; names are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TensorTable {
    tensors: Vec<Tensor>,
    bytes: Bytes,
}

/// Totals of one stored type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TypeTotal {
    /// Tensors of the type.
    pub tensors: u64,
    /// Their elements.
    pub elements: Elements,
    /// Their bytes.
    pub bytes: Bytes,
}

/// Why tensors do not make a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Two tensors of one name.
    #[error("the tensor {0:?} is listed twice")]
    Duplicate(String),
    /// The total exceeds 64 bits.
    #[error(transparent)]
    Overflow(#[from] Overflow),
}

impl TensorTable {
    /// A table of tensors with distinct names.
    ///
    /// # Errors
    /// [`TableError`] on a repeated name, or a total past 64 bits.
    pub fn new(tensors: Vec<Tensor>) -> Result<Self, TableError> {
        let mut names: Vec<&str> = tensors.iter().map(|t| t.name.as_str()).collect();
        names.sort_unstable();
        if let Some(name) = names.windows(2).find_map(|pair| match pair {
            [a, b] if a == b => Some((*a).to_owned()),
            _ => None,
        }) {
            return Err(TableError::Duplicate(name));
        }
        let bytes = tensors.iter().try_fold(Bytes::ZERO, |sum, t| sum.plus(t.bytes))?;
        Ok(Self { tensors, bytes })
    }

    /// The tensors, in file order.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Bytes of all tensors, without the padding between them.
    #[must_use]
    pub const fn bytes(&self) -> Bytes {
        self.bytes
    }

    /// Elements as stored (a packed 4-bit weight inside a `U8` counts as half an element).
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn elements(&self) -> Result<Elements, Overflow> {
        self.tensors.iter().try_fold(Elements::ZERO, |sum, t| sum.plus(t.elements))
    }

    /// The tensor of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.iter().find(|t| t.name == name)
    }

    /// Totals by stored type.
    ///
    /// # Errors
    /// [`Overflow`] past 64 bits.
    pub fn by_type(&self) -> Result<BTreeMap<StoredType, TypeTotal>, Overflow> {
        let mut totals: BTreeMap<StoredType, TypeTotal> = BTreeMap::new();
        for tensor in &self.tensors {
            let total = totals.entry(tensor.stored).or_default();
            total.tensors = total.tensors.checked_add(1).ok_or(Overflow)?;
            total.elements = total.elements.plus(tensor.elements)?;
            total.bytes = total.bytes.plus(tensor.bytes)?;
        }
        Ok(totals)
    }

    /// The tensors, for joining with those of another part.
    #[must_use]
    pub fn into_tensors(self) -> Vec<Tensor> {
        self.tensors
    }
}
