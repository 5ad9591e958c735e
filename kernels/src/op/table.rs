//! The codecs that have kernels: one row each.

use kvplan_core::codec::{Codec, Side};

use super::{CodecKernels, Domain, SideKernels};
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
        }
    };
}

/// Every codec with kernels, in `kvplan codecs` order.
pub static CODECS: &[CodecKernels] = &[
    codec!(F16 F16: (F16 f16, F16, Domain::Plain)),
    codec!(Bf16 BF16: (BF16 bf16, BF16, Domain::Plain)),
    codec!(Fp8E4m3 FP8_E4M3: (FP8_E4M3 fp8_e4m3, FP8_E4M3, Domain::Plain)),
    codec!(Q8_0 Q8_0: (Q8_0 q8_0, Q8_0, Domain::Plain)),
    codec!(Q4_0 Q4_0: (Q4_0 q4_0, Q4_0, Domain::Plain)),
];
