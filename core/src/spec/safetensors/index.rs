//! `model.safetensors.index.json`: which shard holds which tensor.

use super::header::Header;
use super::strict::Unique;
use crate::error::PlanError;
use crate::spec::tensors::{TableError, TensorTable};
use crate::unit::Bytes;
use serde::Deserialize;
use serde_json::Number;
use std::collections::{BTreeMap, BTreeSet};

/// The index of a sharded model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    shard_of: BTreeMap<String, String>,
    total_size: Option<Bytes>,
}

/// An index, or a set of shards, that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// No JSON of the index's form.
    #[error("the safetensors index is malformed: {0}")]
    Malformed(String),
    /// `weight_map` is empty.
    #[error("the safetensors index lists no tensor")]
    Empty,
    /// `metadata.total_size` is no byte count.
    #[error("metadata.total_size is {0}; a whole number of bytes is needed")]
    TotalSize(Number),
    /// A shard was not given.
    #[error("the shard {0} is missing")]
    Missing(String),
    /// A shard was given that the index does not name, or one was given twice.
    #[error("an unexpected shard: {0}")]
    Unexpected(String),
    /// A shard's tensors are not those the index puts there.
    #[error("{shard}: the tensor {name:?} is in only one of shard and index")]
    Tensor {
        /// The shard.
        shard: String,
        /// The tensor.
        name: String,
    },
    /// The shards' tensors make no table.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl From<IndexError> for PlanError {
    fn from(error: IndexError) -> Self {
        let field = match &error {
            IndexError::TotalSize(_) => "metadata.total_size",
            IndexError::Empty => "weight_map",
            IndexError::Tensor { name, .. } => name,
            IndexError::Missing(shard) | IndexError::Unexpected(shard) => shard,
            IndexError::Malformed(_) | IndexError::Table(_) => "",
        };
        Self::invalid(field, error.to_string())
    }
}

#[derive(Deserialize)]
struct Raw {
    weight_map: Unique<String>,
    metadata: Option<RawMetadata>,
}

#[derive(Deserialize)]
struct RawMetadata {
    total_size: Option<Number>,
}

impl Index {
    /// Reads an index.
    ///
    /// # Errors
    /// [`IndexError`].
    pub fn parse(json: &[u8]) -> Result<Self, IndexError> {
        let raw: Raw = serde_json::from_slice(json).map_err(|e| IndexError::Malformed(e.to_string()))?;
        let Unique(shard_of) = raw.weight_map;
        if shard_of.is_empty() {
            return Err(IndexError::Empty);
        }
        let total_size = match raw.metadata.and_then(|m| m.total_size) {
            Some(number) => byte_count(&number).ok_or(IndexError::TotalSize(number))?,
            None => 0,
        };
        // Published indexes say 0 where the writer did not know.
        let total_size = (total_size > 0).then_some(Bytes::new(total_size));
        Ok(Self { shard_of, total_size })
    }

    /// Tensor bytes as the index states them; `None` where it says nothing or 0. Publishers err here: the shards'
    /// headers are exact.
    #[must_use]
    pub const fn total_size(&self) -> Option<Bytes> {
        self.total_size
    }

    /// Tensor → shard.
    #[must_use]
    pub const fn shard_of(&self) -> &BTreeMap<String, String> {
        &self.shard_of
    }

    /// The shards' file names, sorted. They are the publisher's text: resolve them beside the index and nowhere else.
    #[must_use]
    pub fn shards(&self) -> Vec<&str> {
        let names: BTreeSet<&str> = self.shard_of.values().map(String::as_str).collect();
        names.into_iter().collect()
    }

    /// The tensors of all shards, checked against the index.
    ///
    /// # Errors
    /// [`IndexError`] on a missing or foreign shard, or a tensor that is not where the index says.
    pub fn merge(&self, shards: Vec<(String, Header)>) -> Result<TensorTable, IndexError> {
        let mut missing: BTreeSet<&str> = self.shards().into_iter().collect();
        let mut indexed: BTreeMap<&str, u64> = BTreeMap::new();
        for shard in self.shard_of.values() {
            let n = indexed.entry(shard).or_default();
            *n = n.saturating_add(1);
        }
        let mut tensors = Vec::new();
        for (shard, header) in shards {
            if !missing.remove(shard.as_str()) {
                return Err(IndexError::Unexpected(shard));
            }
            let held = header.tensors.tensors();
            if let Some(stray) = held.iter().find(|t| self.shard_of.get(&t.name) != Some(&shard)) {
                return Err(IndexError::Tensor { shard, name: stray.name.clone() });
            }
            // Every tensor held is indexed here, so a count below the index's means that one of those is not held.
            if indexed.get(shard.as_str()) != u64::try_from(held.len()).ok().as_ref() {
                let here: BTreeSet<&str> = held.iter().map(|t| t.name.as_str()).collect();
                let absent =
                    self.shard_of.iter().find(|(name, at)| **at == shard && !here.contains(name.as_str()));
                let name = absent.map(|(name, _)| name.clone()).unwrap_or_default();
                return Err(IndexError::Tensor { shard, name });
            }
            tensors.extend(header.tensors.into_tensors());
        }
        match missing.first() {
            Some(shard) => Err(IndexError::Missing((*shard).to_owned())),
            None => Ok(TensorTable::new(tensors)?),
        }
    }
}

/// Some writers give the count as a float with no fraction.
fn byte_count(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}
