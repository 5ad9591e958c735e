//! llama.cpp: caches in cells of padded contexts, f32 recurrent states, and what it refuses.

mod report;

pub use report::{CacheReport, RecurrentReport, Report, StateReport};
