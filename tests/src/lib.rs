//! Cross-crate tests.

pub mod catalog;
pub mod configs;
