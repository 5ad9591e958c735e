//! The table of formats: one line per codec.

use super::formats::{
    block_gtq, exllama, float, fp4, fp8, ggml, hf, kivi, kvquant, lmdeploy, mla, mlx, rotation, turboquant,
    vllm,
};
use super::layout::Layout;

macro_rules! codecs {
    ($($(#[$doc:meta])* $variant:ident => $layout:path,)*) => {
        /// A cache format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Codec {
            $($(#[$doc])* $variant,)*
        }

        impl Codec {
            /// Every codec, in listing order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The codec's row of the table.
            #[must_use]
            pub const fn layout(self) -> &'static Layout {
                match self {
                    $(Self::$variant => const { &$layout.linked() },)*
                }
            }
        }
    };
}

codecs! {
    /// IEEE binary32.
    F32 => float::F32,
    /// IEEE binary16.
    F16 => float::F16,
    /// bfloat16.
    Bf16 => float::BF16,
    /// FP8 E4M3 (finite), one scale per tensor or head.
    Fp8E4m3 => fp8::E4M3,
    /// FP8 E5M2.
    Fp8E5m2 => fp8::E5M2,
    /// 8-bit integers with a static scale per tensor.
    Int8 => fp8::INT8,
    /// FP8 E4M3 with an f32 scale per block of 128: indexer keys.
    Fp8Block128 => fp8::BLOCK128,
    /// OCP MXFP8: E4M3 with an E8M0 scale per 32.
    Mxfp8 => fp8::MXFP8,
    /// ggml `q8_0`.
    Q8_0 => ggml::Q8_0,
    /// ggml `q5_1`.
    Q5_1 => ggml::Q5_1,
    /// ggml `q5_0`.
    Q5_0 => ggml::Q5_0,
    /// ggml `q4_1`.
    Q4_1 => ggml::Q4_1,
    /// ggml `q4_0`.
    Q4_0 => ggml::Q4_0,
    /// ggml `iq4_nl`.
    Iq4Nl => ggml::IQ4_NL,
    /// OCP MXFP4, in ggml's layout.
    Mxfp4 => ggml::MXFP4,
    /// ggml `nvfp4`, which is laid out unlike everyone else's.
    Nvfp4Ggml => ggml::NVFP4,
    /// ggml `q8_1`.
    Q8_1 => ggml::Q8_1,
    /// ggml `q2_0`.
    Q2_0 => ggml::Q2_0,
    /// ggml `q1_0`.
    Q1_0 => ggml::Q1_0,
    /// ggml `q2_K`.
    Q2K => ggml::Q2_K,
    /// ggml `q3_K`.
    Q3K => ggml::Q3_K,
    /// ggml `q4_K`.
    Q4K => ggml::Q4_K,
    /// ggml `q5_K`.
    Q5K => ggml::Q5_K,
    /// ggml `q6_K`.
    Q6K => ggml::Q6_K,
    /// ggml `q8_K`.
    Q8K => ggml::Q8_K,
    /// ggml `iq1_s`.
    Iq1S => ggml::IQ1_S,
    /// ggml `iq1_m`.
    Iq1M => ggml::IQ1_M,
    /// ggml `iq2_xxs`.
    Iq2Xxs => ggml::IQ2_XXS,
    /// ggml `iq2_xs`.
    Iq2Xs => ggml::IQ2_XS,
    /// ggml `iq2_s`.
    Iq2S => ggml::IQ2_S,
    /// ggml `iq3_xxs`.
    Iq3Xxs => ggml::IQ3_XXS,
    /// ggml `iq3_s`.
    Iq3S => ggml::IQ3_S,
    /// ggml `iq4_xs`.
    Iq4Xs => ggml::IQ4_XS,
    /// ggml `tq1_0`.
    Tq1_0 => ggml::TQ1_0,
    /// ggml `tq2_0`.
    Tq2_0 => ggml::TQ2_0,
    /// TurboQuant fork, 4 bits.
    Turbo4_0 => rotation::TURBO4_0,
    /// TurboQuant, Luce fork.
    Tq3_0 => rotation::TQ3_0,
    /// TurboQuant fork, 3 bits.
    Turbo3_0 => rotation::TURBO3_0,
    /// TurboQuant fork, 2 bits.
    Turbo2_0 => rotation::TURBO2_0,
    /// NVFP4: E2M1 with an E4M3 scale per 16.
    Nvfp4 => fp4::NVFP4,
    /// NVFP4 choosing between amax/6 and amax/4 per block.
    Nvfp4FourOverSix => fp4::NVFP4_4OVER6,
    /// SGLang's E2M1 with an E8M0 scale per 16.
    Fp4E2m1 => fp4::E2M1_BLOCK16,
    /// DeepSeek MLA row: FP8 latent, bf16 RoPE.
    Fp8DsMla => mla::FP8_DS_MLA,
    /// DeepSeek MLA row: NVFP4 latent.
    Nvfp4DsMla => mla::NVFP4_DS_MLA,
    /// DeepSeek-V4 entry: FP8 and bf16 RoPE.
    Fp8DsV4 => mla::FP8_DS_V4,
    /// DeepSeek-V4 entry in NVFP4.
    Nvfp4DsV4 => mla::NVFP4_DS_V4,
    /// vLLM int8 with a scale per token and head.
    Int8PerTokenHead => vllm::INT8_PER_TOKEN_HEAD,
    /// vLLM FP8 with a scale per token and head.
    Fp8PerTokenHead => vllm::FP8_PER_TOKEN_HEAD,
    /// vLLM int4 with a scale per token and head.
    Int4PerTokenHead => vllm::INT4_PER_TOKEN_HEAD,
    /// vLLM 2-bit codebook with a scale per token and head.
    Int2PerTokenHead => vllm::INT2_PER_TOKEN_HEAD,
    /// vLLM TurboQuant: FP8 keys, 4-bit values.
    TurboquantK8v4 => vllm::TURBOQUANT_K8V4,
    /// vLLM TurboQuant: 4 bits, norm-corrected.
    Turboquant4bitNc => vllm::TURBOQUANT_4BIT_NC,
    /// vLLM TurboQuant: 3-bit keys, 4-bit values.
    TurboquantK3v4Nc => vllm::TURBOQUANT_K3V4_NC,
    /// vLLM TurboQuant: 3 bits.
    Turboquant3bitNc => vllm::TURBOQUANT_3BIT_NC,
    /// KIVI, 2 bits.
    Kivi2 => kivi::KIVI2,
    /// KIVI, 4 bits.
    Kivi4 => kivi::KIVI4,
    /// QJL keys (256 sign bits), 2-bit values.
    Qjl => kivi::QJL,
    /// QJL as its first 15 layers store it (512 sign bits).
    Qjl512 => kivi::QJL_512,
    /// KVQuant nuq2 with 1 % outliers.
    Kvquant2 => kvquant::NUQ2,
    /// KVQuant nuq3 with 1 % outliers.
    Kvquant3 => kvquant::NUQ3,
    /// KVQuant nuq4 with 1 % outliers.
    Kvquant4 => kvquant::NUQ4,
    /// QServe KV4.
    QserveKv4 => lmdeploy::QSERVE_KV4,
    /// LMDeploy int8.
    LmdeployInt8 => lmdeploy::INT8,
    /// LMDeploy int4.
    LmdeployInt4 => lmdeploy::INT4,
    /// LMDeploy TurboQuant (policy 42).
    LmdeployTurboquant => lmdeploy::TURBOQUANT,
    /// ExLlamaV2 Q8.
    Exl2Q8 => exllama::EXL2_Q8,
    /// ExLlamaV2 Q6: 8-bit keys, 4-bit values.
    Exl2Q6 => exllama::EXL2_Q6,
    /// ExLlamaV2 Q4.
    Exl2Q4 => exllama::EXL2_Q4,
    /// ExLlamaV3, 2 bits.
    Exl3_2 => exllama::EXL3_2,
    /// ExLlamaV3, 3 bits.
    Exl3_3 => exllama::EXL3_3,
    /// ExLlamaV3, 4 bits.
    Exl3_4 => exllama::EXL3_4,
    /// ExLlamaV3, 5 bits.
    Exl3_5 => exllama::EXL3_5,
    /// ExLlamaV3, 6 bits.
    Exl3_6 => exllama::EXL3_6,
    /// ExLlamaV3, 7 bits.
    Exl3_7 => exllama::EXL3_7,
    /// ExLlamaV3, 8 bits.
    Exl3_8 => exllama::EXL3_8,
    /// MLX, 2 bits, groups of 64.
    Mlx2 => mlx::B2,
    /// MLX, 3 bits, groups of 64.
    Mlx3 => mlx::B3,
    /// MLX, 4 bits, groups of 64.
    Mlx4 => mlx::B4,
    /// MLX, 5 bits, groups of 64.
    Mlx5 => mlx::B5,
    /// MLX, 6 bits, groups of 64.
    Mlx6 => mlx::B6,
    /// MLX, 8 bits, groups of 64.
    Mlx8 => mlx::B8,
    /// Hugging Face quantized cache, quanto int4.
    QuantoInt4 => hf::QUANTO_INT4,
    /// Hugging Face quantized cache, quanto int2.
    QuantoInt2 => hf::QUANTO_INT2,
    /// Hugging Face quantized cache, HQQ 8 bits.
    Hqq8 => hf::HQQ_8,
    /// Hugging Face quantized cache, HQQ 4 bits.
    Hqq4 => hf::HQQ_4,
    /// Hugging Face quantized cache, HQQ 3 bits.
    Hqq3 => hf::HQQ_3,
    /// Hugging Face quantized cache, HQQ 2 bits.
    Hqq2 => hf::HQQ_2,
    /// Hugging Face quantized cache, HQQ 1 bit.
    Hqq1 => hf::HQQ_1,
    /// TurboQuant (paper), MSE variant, 2 bits.
    TurboquantMse2 => turboquant::MSE_2,
    /// TurboQuant (paper), MSE variant, 3 bits.
    TurboquantMse3 => turboquant::MSE_3,
    /// TurboQuant (paper), MSE variant, 4 bits.
    TurboquantMse4 => turboquant::MSE_4,
    /// TurboQuant (paper), inner-product variant, 2 bits.
    TurboquantProd2 => turboquant::PROD_2,
    /// TurboQuant (paper), inner-product variant, 3 bits.
    TurboquantProd3 => turboquant::PROD_3,
    /// TurboQuant (paper), inner-product variant, 4 bits.
    TurboquantProd4 => turboquant::PROD_4,
    /// TurboQuant (paper), the 2.5-bit setting.
    Turboquant2p5 => turboquant::TIERS_2_5,
    /// TurboQuant (paper), the 3.5-bit setting.
    Turboquant3p5 => turboquant::TIERS_3_5,
    /// Block-GTQ K3V3 as its production cache stores it.
    BlockGtqK3v3 => block_gtq::K3V3,
    /// PolarQuant.
    Polarquant => turboquant::POLARQUANT,
}
