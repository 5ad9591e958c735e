//! Cross-crate tests.

pub mod capture;
pub mod catalog;
pub mod configs;
