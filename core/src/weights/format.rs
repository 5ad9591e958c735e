//! The formats that weights are stored in, by the names publishers and tools use.

use crate::spec::gguf::GgmlType;
use strum::IntoEnumIterator as _;

/// A file type of llama.cpp's quantizer: which ggml type each tensor gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::EnumIter, strum::IntoStaticStr)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "each is named as llama.cpp names it")]
pub enum FileType {
    #[strum(serialize = "GGUF-F32")]
    F32,
    #[strum(serialize = "GGUF-F16")]
    F16,
    #[strum(serialize = "GGUF-BF16")]
    Bf16,
    #[strum(serialize = "Q4_0")]
    Q40,
    #[strum(serialize = "Q4_1")]
    Q41,
    #[strum(serialize = "Q5_0")]
    Q50,
    #[strum(serialize = "Q5_1")]
    Q51,
    #[strum(serialize = "Q8_0")]
    Q80,
    #[strum(serialize = "Q2_K")]
    Q2K,
    #[strum(serialize = "Q2_K_S")]
    Q2KS,
    #[strum(serialize = "Q3_K_S")]
    Q3KS,
    #[strum(serialize = "Q3_K_M")]
    Q3KM,
    #[strum(serialize = "Q3_K_L")]
    Q3KL,
    #[strum(serialize = "Q4_K_S")]
    Q4KS,
    #[strum(serialize = "Q4_K_M")]
    Q4KM,
    #[strum(serialize = "Q5_K_S")]
    Q5KS,
    #[strum(serialize = "Q5_K_M")]
    Q5KM,
    #[strum(serialize = "Q6_K")]
    Q6K,
    #[strum(serialize = "IQ1_S")]
    Iq1S,
    #[strum(serialize = "IQ1_M")]
    Iq1M,
    #[strum(serialize = "IQ2_XXS")]
    Iq2Xxs,
    #[strum(serialize = "IQ2_XS")]
    Iq2Xs,
    #[strum(serialize = "IQ2_S")]
    Iq2S,
    #[strum(serialize = "IQ2_M")]
    Iq2M,
    #[strum(serialize = "IQ3_XXS")]
    Iq3Xxs,
    #[strum(serialize = "IQ3_XS")]
    Iq3Xs,
    #[strum(serialize = "IQ3_S")]
    Iq3S,
    #[strum(serialize = "IQ3_M")]
    Iq3M,
    #[strum(serialize = "IQ4_XS")]
    Iq4Xs,
    #[strum(serialize = "IQ4_NL")]
    Iq4Nl,
    #[strum(serialize = "TQ1_0")]
    Tq10,
    #[strum(serialize = "TQ2_0")]
    Tq20,
    #[strum(serialize = "MXFP4_MOE")]
    Mxfp4Moe,
}

impl FileType {
    /// The type most tensors get.
    #[must_use]
    pub const fn main(self) -> GgmlType {
        match self {
            Self::F32 => GgmlType::F32,
            Self::F16 => GgmlType::F16,
            Self::Bf16 => GgmlType::Bf16,
            Self::Q40 => GgmlType::Q4_0,
            Self::Q41 => GgmlType::Q4_1,
            Self::Q50 => GgmlType::Q5_0,
            Self::Q51 => GgmlType::Q5_1,
            Self::Q80 => GgmlType::Q8_0,
            Self::Q2K | Self::Q2KS => GgmlType::Q2K,
            Self::Q3KS | Self::Q3KM | Self::Q3KL => GgmlType::Q3K,
            Self::Q4KS | Self::Q4KM => GgmlType::Q4K,
            Self::Q5KS | Self::Q5KM => GgmlType::Q5K,
            Self::Q6K => GgmlType::Q6K,
            Self::Iq1S => GgmlType::Iq1S,
            Self::Iq1M => GgmlType::Iq1M,
            Self::Iq2Xxs => GgmlType::Iq2Xxs,
            Self::Iq2Xs | Self::Iq2S => GgmlType::Iq2Xs,
            Self::Iq2M => GgmlType::Iq2S,
            Self::Iq3Xxs => GgmlType::Iq3Xxs,
            Self::Iq3Xs | Self::Iq3S | Self::Iq3M => GgmlType::Iq3S,
            Self::Iq4Xs => GgmlType::Iq4Xs,
            Self::Iq4Nl => GgmlType::Iq4Nl,
            Self::Tq10 => GgmlType::Tq1_0,
            Self::Tq20 => GgmlType::Tq2_0,
            Self::Mxfp4Moe => GgmlType::Mxfp4,
        }
    }

    /// As llama.cpp writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A plain float type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named as everyone names it")]
pub enum Float {
    F32,
    F16,
    Bf16,
}

impl Float {
    /// Bytes of an element.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// How the quantized matrices of a checkpoint in safetensors are stored; the rest stays 16 bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Packing {
    /// One byte an element, one f32 scale a matrix.
    Fp8Tensor,
    /// One byte an element, one f32 scale an output channel.
    Fp8Channel,
    /// One byte an element, one f32 scale for each 128 × 128 block (DeepSeek-V3).
    Fp8Block,
    /// One byte an element, one f32 scale an output channel (LLM.int8 rows as bitsandbytes stores them, W8A8).
    Int8Channel,
    /// AWQ: 4-bit codes, a 4-bit zero and an f16 scale per `group` inputs of each output.
    Awq {
        /// Inputs that share a scale.
        group: u64,
    },
    /// GPTQ: as AWQ, and a 32-bit group index per input.
    Gptq {
        /// Bits a code.
        bits: u64,
        /// Inputs that share a scale.
        group: u64,
    },
    /// Symmetric integer codes and a bf16 scale per `group` (compressed-tensors `pack-quantized`).
    IntSymmetric {
        /// Bits a code.
        bits: u64,
        /// Inputs that share a scale.
        group: u64,
    },
    /// FP4 with one FP8 scale per 16 elements, and two f32 scales a matrix.
    Nvfp4,
    /// FP4 with one 8-bit exponent per 32 elements.
    Mxfp4,
    /// FP4 on the routed experts alone, the rest 16 bit (gpt-oss as published).
    Mxfp4Experts,
    /// bitsandbytes NF4: 4-bit codes, an f32 scale per 64 elements, or doubly quantized scales.
    Nf4 {
        /// Scales are stored in 8 bits, with an f32 per 256 of them.
        double: bool,
    },
    /// MLX affine: codes, and a 16-bit scale and bias per group; embeddings and head are quantized too.
    Mlx {
        /// Bits a code.
        bits: u64,
        /// Inputs that share a scale.
        group: u64,
    },
}

/// How a model's weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WeightFormat {
    /// Every tensor in one float type.
    Plain(Float),
    /// A GGUF of that file type, made by llama.cpp's quantizer without an importance matrix or overrides.
    Gguf(FileType),
    /// Quantized matrices, everything else in 16 bits.
    Packed(Packing),
}

impl WeightFormat {
    /// By any of its names; case and the difference between `-` and `_` do not matter.
    ///
    /// `F16`, `BF16` and `F32` are plain here; llama.cpp reads them as a GGUF of that type, see
    /// [`WeightFormat::in_gguf`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase().replace('-', "_");
        let plain = |t| Some(Self::Plain(t));
        let packed = |p| Some(Self::Packed(p));
        match name.as_str() {
            "f32" | "fp32" | "float32" => return plain(Float::F32),
            "f16" | "fp16" | "float16" => return plain(Float::F16),
            "bf16" | "bfloat16" => return plain(Float::Bf16),
            // llama.cpp's own short names.
            "q3_k" => return Some(Self::Gguf(FileType::Q3KM)),
            "q4_k" => return Some(Self::Gguf(FileType::Q4KM)),
            "q5_k" => return Some(Self::Gguf(FileType::Q5KM)),
            "fp8" | "fp8_block" => return packed(Packing::Fp8Block),
            "fp8_tensor" | "fp8_static" => return packed(Packing::Fp8Tensor),
            "fp8_channel" | "fp8_dynamic" => return packed(Packing::Fp8Channel),
            "int8" | "w8a8" | "bnb_int8" => return packed(Packing::Int8Channel),
            "nvfp4" => return packed(Packing::Nvfp4),
            "mxfp4" => return packed(Packing::Mxfp4Experts),
            "mxfp4_all" => return packed(Packing::Mxfp4),
            "nf4" | "bnb_nf4" | "bnb_4bit" => return packed(Packing::Nf4 { double: false }),
            "nf4_double" | "bnb_nf4_double" => return packed(Packing::Nf4 { double: true }),
            _ => {}
        }
        if let Some(found) =
            FileType::iter().find(|t| t.name().to_ascii_lowercase().replace('-', "_") == name)
        {
            return Some(Self::Gguf(found));
        }
        Self::grouped(&name).map(Self::Packed)
    }

    /// `awq`, `gptq_int4_g128`, `w4a16_g32`, `mlx_4bit_g64` and their short forms.
    fn grouped(name: &str) -> Option<Packing> {
        let (head, group) = match name.rsplit_once("_g") {
            Some((head, digits)) if digits.bytes().all(|b| b.is_ascii_digit()) => (
                head,
                Some(digits.parse::<u64>().ok().filter(|n| (8..=1024).contains(n) && n.is_multiple_of(8))?),
            ),
            Some(_) | None => (name, None),
        };
        let wide = group.unwrap_or(128);
        Some(match head {
            "awq" | "awq_int4" | "awq_4bit" => Packing::Awq { group: wide },
            "gptq" | "gptq_int4" | "gptq_4bit" => Packing::Gptq { bits: 4, group: wide },
            "gptq_int8" | "gptq_8bit" => Packing::Gptq { bits: 8, group: wide },
            "w4a16" | "int4" => Packing::IntSymmetric { bits: 4, group: wide },
            "w8a16" => Packing::IntSymmetric { bits: 8, group: wide },
            other => {
                let bits: u64 =
                    other.strip_prefix("mlx_")?.strip_suffix("bit")?.trim_end_matches('_').parse().ok()?;
                let bits = Some(bits).filter(|b| matches!(b, 2 | 3 | 4 | 5 | 6 | 8))?;
                Packing::Mlx { bits, group: group.unwrap_or(64) }
            }
        })
    }

    /// As a GGUF holds it: plain types become file types, whose vectors are f32.
    #[must_use]
    pub const fn in_gguf(self) -> Self {
        match self {
            Self::Plain(Float::F32) => Self::Gguf(FileType::F32),
            Self::Plain(Float::F16) => Self::Gguf(FileType::F16),
            Self::Plain(Float::Bf16) => Self::Gguf(FileType::Bf16),
            Self::Gguf(_) | Self::Packed(_) => self,
        }
    }

    /// The name that [`WeightFormat::parse`] takes back.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Plain(float) => float.name().to_owned(),
            Self::Gguf(file) => file.name().to_owned(),
            Self::Packed(packing) => match packing {
                Packing::Fp8Tensor => "fp8-tensor".to_owned(),
                Packing::Fp8Channel => "fp8-channel".to_owned(),
                Packing::Fp8Block => "fp8".to_owned(),
                Packing::Int8Channel => "int8".to_owned(),
                Packing::Awq { group } => format!("awq-g{group}"),
                Packing::Gptq { bits, group } => format!("gptq-int{bits}-g{group}"),
                Packing::IntSymmetric { bits, group } => format!("w{bits}a16-g{group}"),
                Packing::Nvfp4 => "nvfp4".to_owned(),
                Packing::Mxfp4 => "mxfp4-all".to_owned(),
                Packing::Mxfp4Experts => "mxfp4".to_owned(),
                Packing::Nf4 { double: false } => "nf4".to_owned(),
                Packing::Nf4 { double: true } => "nf4-double".to_owned(),
                Packing::Mlx { bits, group } => format!("mlx-{bits}bit-g{group}"),
            },
        }
    }

    /// One name of every kind, for messages and lists.
    #[must_use]
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = ["f32", "f16", "bf16"].map(str::to_owned).to_vec();
        names.extend(FileType::iter().map(|t| t.name().to_owned()));
        let packed = ["fp8", "fp8-tensor", "fp8-channel", "int8", "awq-g128", "gptq-int4-g128", "w4a16-g128"];
        names.extend(packed.map(str::to_owned));
        names.extend(["nvfp4", "mxfp4", "mxfp4-all", "nf4", "nf4-double", "mlx-4bit-g64"].map(str::to_owned));
        names
    }
}
