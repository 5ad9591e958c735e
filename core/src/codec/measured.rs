//! What codecs were measured to cost in quality, on one small model.
//!
//! Two figures a codec, both measured on SmolLM2-135M: how far the next-token distribution of llama.cpp moved (mean KL
//! divergence, nats a token, 4,092 tokens, both sides of the cache in that codec), and how far the output of attention
//! did (relative error over captured queries, keys and values, mean of four layers). They order codecs; their size on
//! another model may differ. `tests/data/capture` holds the measurements these are taken from.

use super::Codec;

/// The model all of it was measured on.
pub const MODEL: &str = "SmolLM2-135M";

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

const fn row(codec: Codec, kl: Option<f64>, output: Option<f64>) -> Measured {
    Measured { codec, kl, output }
}

/// Every codec that was measured. llama.cpp's types are measured as that engine runs them, with its rotation.
pub const MEASURED: &[Measured] = &[
    row(Codec::F16, Some(0.0), None),
    row(Codec::Bf16, Some(0.000_038_4), None),
    row(Codec::Q8_0, Some(0.000_196_7), Some(0.007_720_51)),
    row(Codec::Q5_1, Some(0.006_972_6), Some(0.055_632)),
    row(Codec::Q5_0, Some(0.008_475_0), Some(0.064_056_1)),
    row(Codec::Q4_1, Some(0.029_215_7), Some(0.114_645)),
    row(Codec::Q4_0, Some(0.035_169_6), Some(0.128_785)),
    row(Codec::Iq4Nl, Some(0.028_936_6), Some(0.115_734)),
    row(Codec::Int8PerTokenHead, None, Some(0.016_474_8)),
    row(Codec::Fp8PerTokenHead, None, Some(0.042_953_1)),
    row(Codec::Fp8E4m3, None, Some(0.054_014_8)),
    row(Codec::Kivi4, None, Some(0.090_992_9)),
    row(Codec::Kivi2, None, Some(0.477_691)),
    row(Codec::Nvfp4, None, Some(0.193_018)),
    row(Codec::Mxfp4, None, Some(0.262_892)),
];

impl Codec {
    /// What it was measured to cost, where it was.
    #[must_use]
    pub fn measured(self) -> Option<&'static Measured> {
        MEASURED.iter().find(|row| row.codec == self)
    }
}
