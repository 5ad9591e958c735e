//! vLLM's formats with metadata per token and head.

use super::VLLM;
use crate::codec::layout::{Block, Fit, Layout, Packing, SideLayout};
use crate::codec::reference::{Arithmetic, KeyArithmetic, per_token_head, vllm_turboquant as slot};

/// Codes of `bits` bits for one head's vector, the last byte rounded up, and `extra` bytes.
const fn vector(bits: u64, multiple: u64, extra: u64) -> Packing {
    Packing::Head { block: Block::new(8, bits), fit: Fit::Multiple(multiple), extra }
}

const fn per_token_head(name: &'static str, title: &'static str, packing: Packing) -> Layout {
    Layout {
        stored: "f32 scale per token and head",
        engines: &[VLLM],
        source: "vLLM 0.33 v1/attention/backends/triton_attn.py customize_spec",
        ..Layout::alike(name, title, packing)
    }
}

pub(in crate::codec) const INT8_PER_TOKEN_HEAD: Layout = Layout {
    arithmetic: Some(per_token_head::INT8),
    ..per_token_head("int8_per_token_head", "vLLM int8, scale = absmax/127", vector(8, 1, 4))
};
pub(in crate::codec) const FP8_PER_TOKEN_HEAD: Layout = Layout {
    arithmetic: Some(per_token_head::FP8),
    ..per_token_head("fp8_per_token_head", "vLLM FP8 E4M3, scale = absmax/448", vector(8, 1, 4))
};
pub(in crate::codec) const INT4_PER_TOKEN_HEAD: Layout = Layout {
    stored: "f32 scale per token and head, the zero point in its low 4 mantissa bits",
    constraints: "head_dim even; a power of two for its rotation",
    arithmetic: Some(per_token_head::INT4),
    ..per_token_head("int4_per_token_head", "vLLM int4, asymmetric, rotated", vector(4, 2, 4))
};
pub(in crate::codec) const INT2_PER_TOKEN_HEAD: Layout = Layout {
    stored: "f32 norm per token and head; a fixed 4-value codebook",
    constraints: "head_dim a multiple of 4",
    source: "vLLM tree; absent from the kv_cache_dtype list of 0.33",
    ..per_token_head("int2_per_token_head", "vLLM 2-bit codebook, rotated", vector(2, 4, 4))
};

const fn turboquant(
    name: &'static str,
    title: &'static str,
    key: (Packing, Arithmetic),
    value: (u64, Arithmetic),
) -> Layout {
    Layout {
        slot_multiple: 2,
        stored: "K: f16 norm (none where keys are FP8); V: f16 scale and f16 minimum; slot rounded up to 2 bytes",
        constraints: "K and V of one width; dense models keep the first 2 and last 2 layers in the model type",
        engines: &[VLLM],
        source: "vLLM 0.33 model_executor/layers/quantization/turboquant/config.py",
        arithmetic: Some(value.1),
        key_arithmetic: KeyArithmetic::Rows(key.1),
        ..Layout::sides(name, title, SideLayout::new(key.0), SideLayout::new(vector(value.0, 1, 4)))
    }
}

const KEY_3: (Packing, Arithmetic) = (vector(3, 1, 2), slot::KEY_3);
const KEY_4: (Packing, Arithmetic) = (vector(4, 1, 2), slot::KEY_4);
const KEY_8: (Packing, Arithmetic) = (vector(8, 1, 0), slot::KEY_FP8);
const VALUE_3: (u64, Arithmetic) = (3, slot::VALUE_3);
const VALUE_4: (u64, Arithmetic) = (4, slot::VALUE_4);

pub(in crate::codec) const TURBOQUANT_K8V4: Layout =
    turboquant("turboquant_k8v4", "vLLM TurboQuant: FP8 keys, 4-bit values", KEY_8, VALUE_4);
pub(in crate::codec) const TURBOQUANT_4BIT_NC: Layout =
    turboquant("turboquant_4bit_nc", "vLLM TurboQuant: 4 bits, norm-corrected", KEY_4, VALUE_4);
pub(in crate::codec) const TURBOQUANT_K3V4_NC: Layout =
    turboquant("turboquant_k3v4_nc", "vLLM TurboQuant: 3-bit keys, 4-bit values", KEY_3, VALUE_4);
pub(in crate::codec) const TURBOQUANT_3BIT_NC: Layout =
    turboquant("turboquant_3bit_nc", "vLLM TurboQuant: 3 bits, norm-corrected", KEY_3, VALUE_3);
