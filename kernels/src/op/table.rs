//! The codecs that have kernels: one row each.

use kvplan_core::codec::tables::VLLM_INT4_SIGNS;
use kvplan_core::codec::{Codec, Side};

use super::{CodecKernels, Domain, Hadamard, SideKernels};
use crate::cpu::{kv, quantize};
use crate::shader;

/// One side: codec, side, naive kernel; then the files of `quantize/` and `kv/` and what the latter gives.
macro_rules! side {
    ($codec:ident $side:ident $naive:ident, $quantize:ident $twin:ident, $decoder:ident, $domain:expr) => {
        SideKernels {
            codec: Codec::$codec,
            side: Side::$side,
            quantize: &shader::quantize::$quantize,
            quantize_cpu: quantize::$twin,
            dequantize: &shader::dequantize::rows::$decoder,
            decoder: kv::$decoder,
            naive: &shader::attention::$naive::$decoder,
            domain: $domain,
        }
    };
}

/// The latent kernel of a side's decoder.
macro_rules! latent {
    ($quantize:ident $twin:ident, $decoder:ident, $domain:expr) => {
        &shader::attention::latent::$decoder
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
    codec!(F16 F16: (F16 f16, F16, Domain::Plain)),
    codec!(Bf16 BF16: (BF16 bf16, BF16, Domain::Plain)),
    codec!(Fp8E4m3 FP8_E4M3: (FP8_E4M3 fp8_e4m3, FP8_E4M3, Domain::Plain)),
    codec!(Fp8E5m2 FP8_E5M2: (FP8_E5M2 fp8_e5m2, FP8_E5M2, Domain::Plain)),
    codec!(Q8_0 Q8_0: (Q8_0 q8_0, Q8_0, Domain::Plain)),
    codec!(Q5_1 Q5_1: (Q5_1 q5_1, Q5_1, Domain::Plain)),
    codec!(Q5_0 Q5_0: (Q5_0 q5_0, Q5_0, Domain::Plain)),
    codec!(Q4_1 Q4_1: (Q4_1 q4_1, Q4_1, Domain::Plain)),
    codec!(Q4_0 Q4_0: (Q4_0 q4_0, Q4_0, Domain::Plain)),
    codec!(Mxfp4 MXFP4: (MXFP4 mxfp4, MXFP4, Domain::Plain)),
    codec!(Nvfp4 NVFP4: (NVFP4 nvfp4, NVFP4, Domain::Plain)),
    codec!(Int8PerTokenHead INT8_PER_TOKEN_HEAD: (INT8_PER_TOKEN_HEAD int8_per_token_head, INT8_PER_TOKEN_HEAD, Domain::Plain)),
    codec!(Fp8PerTokenHead FP8_PER_TOKEN_HEAD: (FP8_PER_TOKEN_HEAD fp8_per_token_head, FP8_PER_TOKEN_HEAD, Domain::Plain)),
    codec!(Int4PerTokenHead INT4_PER_TOKEN_HEAD: (INT4_PER_TOKEN_HEAD int4_per_token_head, INT4_PER_TOKEN_HEAD, VLLM_INT4)),
];
