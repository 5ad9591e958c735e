//! `quantize/*`: rows of f32 (as bits) to packed bytes.

mod bf16;
mod f16;
mod fp8_e4m3;
mod q4_0;
mod q8_0;

pub use bf16::bf16;
pub use f16::f16;
pub use fp8_e4m3::fp8_e4m3;
pub use q4_0::q4_0;
pub use q8_0::q8_0;

use crate::shader::Rows;

/// A quantize kernel's twin: parameters, values, what lies beside them, packed words.
pub type Quantize = fn(&Rows, &[u32], &[u32], &mut [u32]);
