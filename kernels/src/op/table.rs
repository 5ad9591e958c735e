//! The codecs that have kernels: one row each.

use kvplan_core::codec::tables::VLLM_INT4_SIGNS;
use kvplan_core::codec::{Codec, Side};

use super::{CodecKernels, Domain, Hadamard, SideKernels, Widths};
use crate::cpu::{kv, quantize};
use crate::shader;
use kvplan_core::codec::tables::{TURBO_SIGNS_AFTER, TURBO_SIGNS_BEFORE};

/// The fork's turbo types: runs of 128 between two diagonals.
const TURBO: Domain = Domain::Hadamard(Hadamard {
    run: Some(128),
    before: &[TURBO_SIGNS_BEFORE],
    after: &[TURBO_SIGNS_AFTER],
    normalized: true,
});
/// vLLM's TurboQuant keys: the plain transform of the whole vector.
const VLLM: Domain = Domain::Hadamard(Hadamard { run: None, before: &[], after: &[], normalized: true });
/// `Rotation::default_for` a power of two.
const SIGNED: Domain =
    Domain::Hadamard(Hadamard { run: None, before: &[TURBO_SIGNS_BEFORE], after: &[], normalized: true });

const PADDED: Widths = Widths::Padded(128);
/// One transform, and records of whole bytes; the widest is what attention takes.
const POWER_OF_TWO: Widths = Widths::PowerOfTwo { least: 16, most: 512 };
/// One transform, and records of whole bytes.
const INT4: Widths = Widths::PowerOfTwo { least: 2, most: 512 };
const UP_TO_512: Widths = Widths::UpTo(512);

/// One side: codec, side, naive kernel; then the files of `quantize/` and `kv/` and what the latter gives, and what of
/// `quantize/` runs afterwards.
macro_rules! side {
    ($codec:ident $side:ident $naive:ident, $quantize:ident $twin:ident, $decoder:ident, $domain:expr, $widths:expr$(, then $then:ident)?) => {
        SideKernels {
            codec: Codec::$codec,
            side: Side::$side,
            quantize: &shader::quantize::$quantize,
            then: then!($($then)?),
            quantize_cpu: quantize::$twin,
            dequantize: &shader::dequantize::rows::$decoder,
            decoder: kv::$decoder,
            naive: &shader::attention::$naive::$decoder,
            domain: $domain,
            widths: $widths,
        }
    };
}

/// The latent kernel of a side's decoder.
macro_rules! latent {
    ($quantize:ident $twin:ident, $decoder:ident, $domain:expr, $widths:expr$(, then $then:ident)?) => {
        &shader::attention::latent::$decoder
    };
}

macro_rules! then {
    () => {
        None
    };
    ($then:ident) => {
        Some(&shader::quantize::$then)
    };
}

/// Codec, its shaders' name (`pairs.txt`), then per side: `quantize/` file and twin, `kv/` file, domain. One side is both.
macro_rules! codec {
    ($codec:ident $shader:ident: ($($k:tt)*)) => {
        codec!($codec $shader: key ($($k)*) value ($($k)*))
    };
    ($codec:ident $shader:ident: key ($($k:tt)*) value ($($v:tt)*)) => {
        CodecKernels {
            codec: Codec::$codec,
            key: side!($codec Key naive_scores, $($k)*),
            value: side!($codec Value naive_output, $($v)*),
            decode: &shader::attention::decode::$shader,
            prefill: &shader::attention::prefill::$shader,
            latent: latent!($($k)*),
        }
    };
}

/// vLLM's rotation before int4: signs, then a Hadamard transform without its 1/√d.
const VLLM_INT4: Domain =
    Domain::Hadamard(Hadamard { run: None, before: &VLLM_INT4_SIGNS, after: &[], normalized: false });

/// Every codec with kernels, in `kvplan codecs` order.
pub static CODECS: &[CodecKernels] = &[
    codec!(F16 F16: (F16 f16, F16, Domain::Plain, Widths::Any)),
    codec!(Bf16 BF16: (BF16 bf16, BF16, Domain::Plain, Widths::Any)),
    codec!(Fp8E4m3 FP8_E4M3: (FP8_E4M3 fp8_e4m3, FP8_E4M3, Domain::Plain, Widths::Any)),
    codec!(Fp8E5m2 FP8_E5M2: (FP8_E5M2 fp8_e5m2, FP8_E5M2, Domain::Plain, Widths::Any)),
    codec!(Q8_0 Q8_0: (Q8_0 q8_0, Q8_0, Domain::Plain, Widths::Any)),
    codec!(Q5_1 Q5_1: (Q5_1 q5_1, Q5_1, Domain::Plain, Widths::Any)),
    codec!(Q5_0 Q5_0: (Q5_0 q5_0, Q5_0, Domain::Plain, Widths::Any)),
    codec!(Q4_1 Q4_1: (Q4_1 q4_1, Q4_1, Domain::Plain, Widths::Any)),
    codec!(Q4_0 Q4_0: (Q4_0 q4_0, Q4_0, Domain::Plain, Widths::Any)),
    codec!(Iq4Nl IQ4_NL: (IQ4_NL iq4_nl, IQ4_NL, Domain::Plain, Widths::Any, then IQ4_NL_REPEAT)),
    codec!(Mxfp4 MXFP4: (MXFP4 mxfp4, MXFP4, Domain::Plain, Widths::Any)),
    codec!(Turbo4_0 TURBO4_0: (TURBO4_0 turbo4_0, TURBO4_0, TURBO, PADDED, then TURBO4_0_EXACT)),
    codec!(Turbo3_0 TURBO3_0: (TURBO3_0 turbo3_0, TURBO3_0, TURBO, PADDED, then TURBO3_0_EXACT)),
    codec!(Turbo2_0 TURBO2_0: (TURBO2_0 turbo2_0, TURBO2_0, TURBO, PADDED, then TURBO2_0_EXACT)),
    codec!(Nvfp4 NVFP4: (NVFP4 nvfp4, NVFP4, Domain::Plain, Widths::Any)),
    codec!(Int8PerTokenHead INT8_PER_TOKEN_HEAD: (INT8_PER_TOKEN_HEAD int8_per_token_head, INT8_PER_TOKEN_HEAD, Domain::Plain, Widths::Any)),
    codec!(Fp8PerTokenHead FP8_PER_TOKEN_HEAD: (FP8_PER_TOKEN_HEAD fp8_per_token_head, FP8_PER_TOKEN_HEAD, Domain::Plain, Widths::Any)),
    codec!(Int4PerTokenHead INT4_PER_TOKEN_HEAD: (INT4_PER_TOKEN_HEAD int4_per_token_head, INT4_PER_TOKEN_HEAD, VLLM_INT4, INT4)),
    codec!(TurboquantK8v4 TURBOQUANT_K8V4:
        key (FP8_E4M3 fp8_e4m3, FP8_E4M3, Domain::Plain, POWER_OF_TWO)
        value (TURBOQUANT_V4 turboquant_v4, TURBOQUANT_V4, Domain::Plain, POWER_OF_TWO)),
    codec!(Turboquant4bitNc TURBOQUANT_4BIT_NC:
        key (TURBOQUANT_K4 turboquant_k4, TURBOQUANT_K4, VLLM, POWER_OF_TWO, then TURBOQUANT_K4_EXACT)
        value (TURBOQUANT_V4 turboquant_v4, TURBOQUANT_V4, Domain::Plain, POWER_OF_TWO)),
    codec!(TurboquantK3v4Nc TURBOQUANT_K3V4_NC:
        key (TURBOQUANT_K3 turboquant_k3, TURBOQUANT_K3, VLLM, POWER_OF_TWO, then TURBOQUANT_K3_EXACT)
        value (TURBOQUANT_V4 turboquant_v4, TURBOQUANT_V4, Domain::Plain, POWER_OF_TWO)),
    codec!(Turboquant3bitNc TURBOQUANT_3BIT_NC:
        key (TURBOQUANT_K3 turboquant_k3, TURBOQUANT_K3, VLLM, POWER_OF_TWO, then TURBOQUANT_K3_EXACT)
        value (TURBOQUANT_V3 turboquant_v3, TURBOQUANT_V3, Domain::Plain, POWER_OF_TWO)),
    codec!(Kivi2 KIVI2:
        key (KIVI2_KEY kivi2_key, KIVI2_KEY, Domain::Plain, UP_TO_512)
        value (KIVI2_VALUE kivi2_value, KIVI2_VALUE, Domain::Plain, UP_TO_512)),
    codec!(Kivi4 KIVI4:
        key (KIVI4_KEY kivi4_key, KIVI4_KEY, Domain::Plain, UP_TO_512)
        value (KIVI4_VALUE kivi4_value, KIVI4_VALUE, Domain::Plain, UP_TO_512)),
    codec!(TurboquantMse2 TURBOQUANT_MSE_2:
        (TURBOQUANT_MSE_2 turboquant_mse_2, TURBOQUANT_MSE_2, SIGNED, POWER_OF_TWO, then TURBOQUANT_MSE_2_EXACT)),
    codec!(TurboquantMse3 TURBOQUANT_MSE_3:
        (TURBOQUANT_MSE_3 turboquant_mse_3, TURBOQUANT_MSE_3, SIGNED, POWER_OF_TWO, then TURBOQUANT_MSE_3_EXACT)),
    codec!(TurboquantMse4 TURBOQUANT_MSE_4:
        (TURBOQUANT_MSE_4 turboquant_mse_4, TURBOQUANT_MSE_4, SIGNED, POWER_OF_TWO, then TURBOQUANT_MSE_4_EXACT)),
];
