//! Cross-crate tests.

pub mod configs;
