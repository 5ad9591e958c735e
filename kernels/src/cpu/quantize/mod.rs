//! `quantize/*`: rows of f32 (as bits) to packed bytes.

mod bf16;
mod block_gtq;
mod f16;
mod fp8;
mod fp8_per_token_head;
mod int4_per_token_head;
mod int8_per_token_head;
mod iq4_nl;
mod kivi;
mod mxfp4;
mod nvfp4;
mod q4_0;
mod q4_1;
mod q5_0;
mod q5_1;
mod q8_0;
mod turbo;
mod turboquant;
mod turned_codes;
mod window;

pub use bf16::bf16;
pub use block_gtq::block_gtq;
pub use f16::f16;
pub use fp8::{fp8_e4m3, fp8_e5m2};
pub use fp8_per_token_head::fp8_per_token_head;
pub use int4_per_token_head::int4_per_token_head;
pub use int8_per_token_head::int8_per_token_head;
pub use iq4_nl::iq4_nl;
pub use kivi::{kivi2_key, kivi2_value, kivi4_key, kivi4_value};
pub use mxfp4::mxfp4;
pub use nvfp4::nvfp4;
pub use q4_0::q4_0;
pub use q4_1::q4_1;
pub use q5_0::q5_0;
pub use q5_1::q5_1;
pub use q8_0::q8_0;
pub use turbo::{turbo2_0, turbo3_0, turbo4_0};
pub use turboquant::{
    turboquant_k3, turboquant_k4, turboquant_mse_2, turboquant_mse_3, turboquant_mse_4, turboquant_v3,
    turboquant_v4,
};
pub use window::window;

use crate::shader::Rows;

/// A quantize kernel's twin: parameters, values, what lies beside them, packed words.
pub type Quantize = fn(&Rows, &[u32], &[u32], &mut [u32]);
