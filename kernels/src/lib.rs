//! Kernels that prove the planner's numbers on real hardware.
//!
//! The planner says how many bytes a cache takes and how far a codec is off; here the cache is allocated, packed, read
//! back and attended to. Every kernel packs and reads the block layouts of [`kvplan_core::codec`]: the predicted size
//! and the packed size have one definition, which is why this crate takes them from there and states none of its own.
//!
//! # What lives where
//!
//! - `wgsl/`: one file per kernel. `quantize/`, `dequantize/`, `attention/` and `movement/` are kernels; `kv/` holds one
//!   decoder per codec, which `attention/*` and `dequantize/rows` take in (`#import kv/* as k` makes one shader per
//!   decoder); `shared/` holds what several use; `probe/` exists for tests.
//! - `build.rs`, `build/`: expands imports, validates with naga, lints (what every WebGPU browser grants, no more) and
//!   reflects. The result is [`shader`]: names, workgroup sizes, bindings, constants, parameter structs. Rust repeats
//!   none of them by hand.
//! - [`cpu`]: the twins. `wgsl/quantize/q8_0.wgsl` is `cpu::quantize::q8_0`: same name, same arguments in binding order,
//!   same walk. [`cpu::oracle`] is attention in f64 with an error bound.
//! - [`gpu`]: the runner. Adapters, buffers, pipelines, timing, read-back, typed errors; native and browser alike.
//! - [`model`]: how long a kernel takes: a model fitted to some measured runs, checked on others. No adapter.
//! - [`quality`]: what a codec does to K, V, logits and attention output on captured activations. No adapter.
//! - [`op`]: launches with parameters, constants and grid filled in, and [`op::CODECS`], one row per codec.
//!
//! # Adding a codec
//!
//! 1. `wgsl/quantize/NAME.wgsl` (imports `shared/rows`; `UNIT` says how many elements one invocation takes) and
//!    `wgsl/kv/NAME.wgsl` (`kv_load4`: four elements of a row). Block sizes: `#import layout/NAME`.
//! 2. Their twins `cpu/quantize/NAME.rs` and `cpu/kv/NAME.rs`.
//! 3. One row of [`op::CODECS`]. The tests, decode and prefill attention follow from it.
//!
//! # What is exact and what is not
//!
//! *Packed bytes are exact*: equal to the reference on any conforming device. WGSL lets a device divide to 2.5 ULP, fuse
//! a product into a sum, flush subnormals and round `pack2x16float` either way, and each of these moves a code that lies
//! at a tie. Quantizers therefore compute on integers: `shared/exact.wgsl` multiplies, divides, adds and rounds f32 bit
//! patterns as IEEE 754 does, and `shared/half.wgsl` rounds to the 16-bit formats. A reference encoder is ported
//! operation by operation, and a test holds each of these operations against the CPU's. Integer arithmetic costs ten times
//! as much, so `shared/near.wgsl` says when a code that plain f32 gave is certain: in all but one element of 2000.
//!
//! *Decoded values are exact* where the device converts f16 subnormals without flushing them (WGSL permits the flush;
//! no device known to us does it): a code times an f16 scale has at most 19 significant bits.
//!
//! *Attention is not exact*: sums in another order, `exp` good to 3+2|x| ULP. Each output element must lie within the
//! bound that [`cpu::oracle::attention`] derives for it from the data and from WGSL's accuracy table.
//!
//! *Infinities and NaN* are refused before upload ([`gpu::GpuError::NonFinite`]): one would spoil its block, and WGSL
//! lets a compiler assume there are none.

pub mod cpu;
pub mod gpu;
pub mod model;
pub mod op;
pub mod quality;
pub mod shader;

#[cfg(test)]
#[path = "../build/import.rs"]
mod import;
#[cfg(test)]
#[path = "../build/lint.rs"]
mod lint;
