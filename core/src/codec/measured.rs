//! What codecs were measured to cost in quality, on one small model.
//!
//! Two figures a codec, both measured on SmolLM2-135M: how far the next-token distribution of llama.cpp moved (mean KL
//! divergence, nats a token, 4,092 tokens, both sides of the cache in that codec), and how far the output of attention
//! did (relative error over captured queries, keys and values, mean of four layers). They order codecs; their size on
//! another model may differ. `tests/data/capture` holds the measurements these are taken from; `measured.csv` has the
//! engine's in full, with those of a second model, for [`crate::fit`] and the planners alike.

use super::Codec;
use crate::unit::parse_real;
use std::sync::LazyLock;

/// The model all of it was measured on.
pub const MODEL: &str = "SmolLM2-135M";

/// The same, as the measurements name it.
pub(crate) const MODEL_ID: &str = "smollm2-135m";

/// One measurement of llama.cpp with keys and values in a pair of types.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Engine {
    pub(crate) model: String,
    pub(crate) k: Codec,
    pub(crate) v: Codec,
    /// Whether both were rotated before; `None` for types that are never rotated.
    pub(crate) rotated: Option<bool>,
    /// Mean KL divergence from an f16 cache, nats a token.
    pub(crate) mean_kld: f64,
    /// Perplexity divided by that of an f16 cache.
    pub(crate) ppl_ratio: f64,
    /// Tokens whose most likely continuation is the same, percent.
    pub(crate) same_top_percent: f64,
}

/// Every measurement of the engine.
pub(crate) static ENGINE: LazyLock<Vec<Engine>> =
    LazyLock::new(|| include_str!("measured.csv").lines().filter_map(engine).collect());

/// The lines of the data that are figures.
fn engine(line: &str) -> Option<Engine> {
    let fields: Vec<&str> = line.split(',').collect();
    let [model, k, v, rotated, mean_kld, ppl_ratio, same_top_percent] = fields.as_slice() else {
        return None;
    };
    Some(Engine {
        model: (*model).to_owned(),
        k: Codec::parse(k)?,
        v: Codec::parse(v)?,
        rotated: match *rotated {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        },
        mean_kld: parse_real(mean_kld)?,
        ppl_ratio: parse_real(ppl_ratio)?,
        same_top_percent: parse_real(same_top_percent)?,
    })
}

/// What a codec was measured to cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The codec.
    pub codec: Codec,
    /// Mean KL divergence from an f16 cache, in the engine; absent where no engine here stores it.
    pub kl: Option<f64>,
    /// Relative error of the attention output, keys and values in that codec; absent where it was not measured.
    pub output: Option<f64>,
}

/// Relative errors of the attention output; `None` where only the engine was measured.
const OUTPUTS: &[(Codec, Option<f64>)] = &[
    (Codec::F16, None),
    (Codec::Bf16, None),
    (Codec::Q8_0, Some(0.007_720_51)),
    (Codec::Q5_1, Some(0.055_632)),
    (Codec::Q5_0, Some(0.064_056_1)),
    (Codec::Q4_1, Some(0.114_645)),
    (Codec::Q4_0, Some(0.128_785)),
    (Codec::Iq4Nl, Some(0.115_734)),
    (Codec::Int8PerTokenHead, Some(0.016_474_8)),
    (Codec::Fp8PerTokenHead, Some(0.042_953_1)),
    (Codec::Fp8E4m3, Some(0.054_014_8)),
    (Codec::Kivi4, Some(0.090_992_9)),
    (Codec::Kivi2, Some(0.477_691)),
    (Codec::Nvfp4, Some(0.193_018)),
    (Codec::Mxfp4, Some(0.262_892)),
];

/// Every codec that was measured. llama.cpp's types are measured as that engine runs them, with its rotation.
pub static MEASURED: LazyLock<Vec<Measured>> = LazyLock::new(|| {
    let of = |(codec, output): &(Codec, Option<f64>)| {
        let mut rows = ENGINE.iter().filter(|row| row.model == MODEL_ID && row.rotated != Some(false));
        let kl = rows.find(|row| row.k == *codec && row.v == *codec).map(|row| row.mean_kld);
        Measured { codec: *codec, kl, output: *output }
    };
    OUTPUTS.iter().map(of).collect()
});

impl Codec {
    /// What it was measured to cost, where it was.
    #[must_use]
    pub fn measured(self) -> Option<&'static Measured> {
        MEASURED.iter().find(|row| row.codec == self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_the_file_is_read() {
        let figures = include_str!("measured.csv").lines().filter(|l| !l.starts_with('#')).count();
        // One line names the columns.
        assert_eq!(ENGINE.len(), figures - 1);
        assert!(ENGINE.len() >= 32);
    }
}
