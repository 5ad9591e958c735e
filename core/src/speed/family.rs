//! Weight formats that one kind of kernel reads.

use super::inputs::SpeedEngine;

/// What formats share that are unpacked alike: a format measured once or never gets what its kin were measured at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
pub(super) enum FormatFamily {
    /// One to three bits through a codebook, which a processor decodes more slowly than it reads them.
    #[strum(serialize = "iq-small")]
    SmallCodebook,
    /// Four bits through a codebook.
    #[strum(serialize = "iq4")]
    Codebook,
    /// MLX's groups of any width.
    #[strum(serialize = "mlx")]
    Mlx,
    /// Super-blocks of 256 with scales of their own (`Q4_K_M`).
    #[strum(serialize = "k")]
    SuperBlock,
    /// Blocks of 32 with one scale (`Q8_0`).
    #[strum(serialize = "legacy")]
    Block,
    /// Four-bit floats, scales shared by 32.
    #[strum(serialize = "mxfp4")]
    Mxfp4,
    /// Four-bit floats, scales shared by 16.
    #[strum(serialize = "nvfp4")]
    Nvfp4,
    /// Eight-bit floats.
    #[strum(serialize = "fp8")]
    Fp8,
    /// Four-bit integers in groups (AWQ, GPTQ).
    #[strum(serialize = "int4")]
    Int4,
    /// Not quantized.
    #[strum(serialize = "16")]
    Half,
}

impl FormatFamily {
    /// By a format's name, as engines and their files spell it; the first part it contains decides. `None` for a format
    /// with no kin.
    pub(super) fn of(format: &str) -> Option<Self> {
        let name = format.to_ascii_uppercase();
        PARTS.iter().find(|(part, _)| name.contains(part)).map(|(_, family)| *family)
    }

    /// What weights of so many bits a parameter usually are on an engine, where nobody says. The measurements have a
    /// format in every row, so that nothing is known of weights without one.
    pub(super) fn usual(engine: SpeedEngine, bits: f64) -> Option<Self> {
        if bits > 12.0 {
            return Some(Self::Half);
        }
        match engine {
            SpeedEngine::LlamaCpp | SpeedEngine::IkLlamaCpp if bits > 8.0 => Some(Self::Block),
            SpeedEngine::LlamaCpp | SpeedEngine::IkLlamaCpp => Some(Self::SuperBlock),
            SpeedEngine::Vllm | SpeedEngine::TensorrtLlm if bits > 6.0 => Some(Self::Fp8),
            SpeedEngine::Vllm | SpeedEngine::TensorrtLlm => Some(Self::Int4),
            SpeedEngine::Mlx | SpeedEngine::MlxVlm => Some(Self::Mlx),
            SpeedEngine::Exllama | SpeedEngine::Other => None,
        }
    }
}

const PARTS: [(&str, FormatFamily); 18] = [
    ("MLX", FormatFamily::Mlx),
    ("IQ1", FormatFamily::SmallCodebook),
    ("IQ2", FormatFamily::SmallCodebook),
    ("IQ3", FormatFamily::SmallCodebook),
    ("IQ4", FormatFamily::Codebook),
    ("_K", FormatFamily::SuperBlock),
    ("Q4_0", FormatFamily::Block),
    ("Q4_1", FormatFamily::Block),
    ("Q5_0", FormatFamily::Block),
    ("Q5_1", FormatFamily::Block),
    ("Q8", FormatFamily::Block),
    ("MXFP4", FormatFamily::Mxfp4),
    ("NVFP4", FormatFamily::Nvfp4),
    ("FP8", FormatFamily::Fp8),
    ("AWQ", FormatFamily::Int4),
    ("GPTQ", FormatFamily::Int4),
    ("INT4", FormatFamily::Int4),
    ("F16", FormatFamily::Half),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Bits a parameter of published files: Llama 3.1 8B at Q4_K_M 4.9 and at Q8_0 8.5; FP8 checkpoints 8.1, AWQ 4.2.
    #[test]
    fn weights_without_a_name_count_as_what_the_engine_usually_reads_at_their_width() {
        for (engine, bits, family) in [
            (SpeedEngine::LlamaCpp, 4.9, FormatFamily::SuperBlock),
            (SpeedEngine::LlamaCpp, 8.5, FormatFamily::Block),
            (SpeedEngine::LlamaCpp, 16.0, FormatFamily::Half),
            (SpeedEngine::Vllm, 8.1, FormatFamily::Fp8),
            (SpeedEngine::Vllm, 4.2, FormatFamily::Int4),
        ] {
            assert_eq!(FormatFamily::usual(engine, bits), Some(family), "{bits} bits on {engine:?}");
        }
        assert_eq!(FormatFamily::usual(SpeedEngine::Exllama, 4.0), None);
    }

    #[test]
    fn one_format_has_one_family_however_it_is_spelt() {
        for (spellings, family) in [
            (&["Q4_K_M", "gguf-q4_k_m", "UD-Q4_K_XL", "Q6_K"][..], FormatFamily::SuperBlock),
            (&["Q8_0", "gguf-q8_0", "Q8", "Q4_0"], FormatFamily::Block),
            (&["UD-IQ3_XXS", "IQ2_M", "IQ1_S"], FormatFamily::SmallCodebook),
            (&["IQ4_XS", "IQ4_NL"], FormatFamily::Codebook),
            (&["BF16", "F16", "FP16/BF16", "gguf-f16"], FormatFamily::Half),
            (&["MLX 4bit", "MLX mxfp4"], FormatFamily::Mlx),
            (&["MXFP4", "mxfp4"], FormatFamily::Mxfp4),
            (&["FP8", "fp8-dynamic"], FormatFamily::Fp8),
            (&["awq-int4", "int4"], FormatFamily::Int4),
        ] {
            for spelling in spellings {
                assert_eq!(FormatFamily::of(spelling), Some(family), "{spelling}");
            }
        }
        assert_eq!(FormatFamily::of("EXL2 4.0bpw"), None);
    }
}
