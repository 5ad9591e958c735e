//! Tensors of one layer or of the whole model, added by name and dimensions, the contiguous one first.

use crate::spec::shape::Tensors;

/// Tensors being collected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Build(Tensors);

impl Build {
    /// A vector: norm, bias, table of one value a head.
    pub(super) fn vector(&mut self, name: impl Into<String>, n: u64) {
        self.0.insert(name.into(), vec![n]);
    }

    /// A norm, with a bias where the class has one.
    pub(super) fn norm(&mut self, name: &str, n: u64, bias: bool) {
        self.vector(name, n);
        if bias {
            self.vector(format!("{name}.bias"), n);
        }
    }

    /// A matrix from `from` to `to` features.
    pub(super) fn matrix(&mut self, name: impl Into<String>, from: u64, to: u64) {
        self.0.insert(name.into(), vec![from, to]);
    }

    /// A matrix, with a bias where the class has one.
    pub(super) fn linear(&mut self, name: &str, from: u64, to: u64, bias: bool) {
        self.matrix(name, from, to);
        if bias {
            self.vector(format!("{name}.bias"), to);
        }
    }

    /// One matrix for each of `count` experts or heads.
    pub(super) fn stack(&mut self, name: impl Into<String>, from: u64, to: u64, count: u64) {
        self.0.insert(name.into(), vec![from, to, count]);
    }

    /// Takes another's tensors, each name followed by `suffix`.
    pub(super) fn extend(&mut self, other: Self, suffix: &str) {
        self.0.extend(other.0.into_iter().map(|(name, dims)| (format!("{name}{suffix}"), dims)));
    }

    /// Takes a tensor out again that a layer has another in the place of.
    pub(super) fn drop(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(super) fn done(self) -> Tensors {
        self.0
    }
}
