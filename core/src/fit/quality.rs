//! What a cache type costs in quality, as measured: the order in which types are tried.
//!
//! The figures are in `quality.csv` with their source. They order types; they do not say how much another model loses.

use crate::codec::Codec;
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::LazyLock;

/// Measured quality of a pair of cache types.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Quality {
    /// Mean Kullback–Leibler divergence from an f16 cache, nats a token: the larger one of the measured models.
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

/// A line of the data: types of K and V, and what was measured.
struct Row {
    k: Codec,
    v: Codec,
    /// `None` for types that are never rotated.
    rotated: Option<bool>,
    measured: Measured,
}

static ROWS: LazyLock<Vec<Row>> =
    LazyLock::new(|| include_str!("quality.csv").lines().filter_map(row).collect());

/// The lines of the data that are figures.
fn row(line: &str) -> Option<Row> {
    let fields: Vec<&str> = line.split(',').collect();
    let [model, k, v, rotated, mean_kld, ppl_ratio, same_top_percent] = fields.as_slice() else {
        return None;
    };
    Some(Row {
        k: Codec::parse(k)?,
        v: Codec::parse(v)?,
        rotated: match *rotated {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
        measured: Measured {
            model: (*model).to_owned(),
            mean_kld: mean_kld.parse().ok()?,
            ppl_ratio: ppl_ratio.parse().ok()?,
            same_top_percent: same_top_percent.parse().ok()?,
        },
    })
}

/// What was measured of keys in `k` and values in `v`, rotated or not; `None` where nothing was.
#[must_use]
pub fn quality(k: Codec, v: Codec, rotated: bool) -> Option<Quality> {
    let rows = ROWS.iter().filter(|row| row.k == k && row.v == v);
    let measured: Vec<Measured> = rows
        .filter(|row| row.rotated.is_none_or(|was| was == rotated))
        .map(|row| row.measured.clone())
        .collect();
    let worst = measured.iter().map(|one| one.mean_kld).max_by(f64::total_cmp)?;
    Some(Quality { mean_kld: worst, rotated, measured })
}

/// The pairs that were measured, the best first; rotated where that was measured.
pub(super) fn measured_pairs() -> Vec<(Codec, Codec)> {
    let mut pairs: Vec<(Codec, Codec, f64)> = Vec::with_capacity(16);
    for row in ROWS.iter() {
        if !pairs.iter().any(|(k, v, _)| (*k, *v) == (row.k, row.v))
            && let Some(quality) = quality(row.k, row.v, true)
        {
            pairs.push((row.k, row.v, quality.mean_kld));
        }
    }
    pairs.sort_by(|(.., a), (.., b)| a.total_cmp(b));
    pairs.into_iter().map(|(k, v, _)| (k, v)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_file_is_read() {
        let figures = include_str!("quality.csv").lines().filter(|l| !l.starts_with('#')).count();
        // One line names the columns.
        assert_eq!(ROWS.len(), figures - 1);
        assert!(ROWS.len() >= 32);
    }

    #[test]
    fn the_order_is_that_of_the_worse_of_the_measured_models() {
        let names: Vec<String> =
            measured_pairs().iter().map(|(k, v)| format!("{}/{}", k.name(), v.name())).collect();
        let expected = [
            "f16/f16",
            "bf16/bf16",
            "q8_0/q8_0",
            "q8_0/q4_0",
            "q5_1/q5_1",
            "q5_0/q5_0",
            "q4_1/q4_1",
            "iq4_nl/iq4_nl",
            "q4_0/q4_0",
            "q4_0/q8_0",
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
