//! The kernels' twins: one function per WGSL file, of the same name in the same folder, with the same arguments in
//! binding order and the same walk over blocks, tiles and splits. They run where no GPU is, and what a GPU computes is
//! held against them.
//!
//! A workgroup's invocations are loops here, its barriers the ends of those loops. Where a shader computes on integers
//! only to be exact on every device (`shared/exact.wgsl`), the twin uses plain f32 operations, which Rust rounds
//! correctly; that both agree is what the tests show.

#![expect(clippy::needless_range_loop, reason = "kept line by line comparable with the shaders")]

pub mod attention;
pub mod dequantize;
pub mod kv;
pub mod movement;
pub mod oracle;
pub mod quantize;
pub mod rotate;
pub(crate) mod shared;
