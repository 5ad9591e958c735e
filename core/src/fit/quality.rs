//! What a cache type costs in quality, as measured: the order in which types are tried.
//!
//! The figures are those of [`crate::codec::measured`]. They order types; they do not say how much another model loses.

use crate::codec::Codec;
use crate::codec::measured::{ENGINE, Engine, MODEL_ID};
use schemars::JsonSchema;
use serde::Serialize;

/// Measured quality of a pair of cache types.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Quality {
    /// Mean Kullback–Leibler divergence from an f16 cache, nats a token, of SmolLM2-135M: the figure that planners show.
    pub mean_kld: f64,
    /// Whether keys and values were rotated before they were quantized, as llama.cpp does by default.
    pub rotated: bool,
    /// By model.
    pub measured: Vec<Measured>,
}

/// One model's figures.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Measured {
    /// Catalogue id.
    pub model: String,
    /// Mean Kullback–Leibler divergence from an f16 cache, nats a token.
    pub mean_kld: f64,
    /// Perplexity divided by that of an f16 cache.
    pub ppl_ratio: f64,
    /// Tokens whose most likely continuation is the same, percent.
    pub same_top_percent: f64,
}

/// What was measured of keys in `k` and values in `v`, rotated or not; `None` where nothing was.
#[must_use]
pub fn quality(k: Codec, v: Codec, rotated: bool) -> Option<Quality> {
    let rows: Vec<&Engine> = ENGINE
        .iter()
        .filter(|row| row.k == k && row.v == v && row.rotated.is_none_or(|was| was == rotated))
        .collect();
    let mean_kld = rows.iter().find(|row| row.model == MODEL_ID)?.mean_kld;
    let measured = rows.into_iter().map(|row| Measured {
        model: row.model.clone(),
        mean_kld: row.mean_kld,
        ppl_ratio: row.ppl_ratio,
        same_top_percent: row.same_top_percent,
    });
    Some(Quality { mean_kld, rotated, measured: measured.collect() })
}

/// The pairs that were measured, the best first; rotated where that was measured.
pub(super) fn measured_pairs() -> Vec<(Codec, Codec)> {
    let mut pairs: Vec<(Codec, Codec, f64)> = Vec::with_capacity(16);
    for row in ENGINE.iter() {
        if !pairs.iter().any(|(k, v, _)| (*k, *v) == (row.k, row.v))
            && let Some(quality) = quality(row.k, row.v, true)
        {
            pairs.push((row.k, row.v, quality.mean_kld));
        }
    }
    crate::order::by(&mut pairs, |(.., a), (.., b)| a.total_cmp(b));
    pairs.into_iter().map(|(k, v, _)| (k, v)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_model_whose_figures_are_shown() {
        let names: Vec<String> =
            measured_pairs().iter().map(|(k, v)| format!("{}/{}", k.name(), v.name())).collect();
        let expected = [
            "f16/f16",
            "bf16/bf16",
            "q8_0/q8_0",
            "q8_0/q4_0",
            "q5_1/q5_1",
            "q5_0/q5_0",
            "iq4_nl/iq4_nl",
            "q4_1/q4_1",
            "q4_0/q8_0",
            "q4_0/q4_0",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_cache_that_is_not_rotated_has_its_own_figures() {
        let kld = |rotated| quality(Codec::Q4_0, Codec::Q4_0, rotated).unwrap().mean_kld;
        assert!(kld(false) > kld(true));
        assert_eq!(quality(Codec::Nvfp4, Codec::Nvfp4, true), None);
    }
}
