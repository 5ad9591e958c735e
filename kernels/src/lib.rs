//! Kernels that prove the planner's numbers on real hardware.
//!
//! The planner says how many bytes a cache takes and how far a codec is off; here the cache is allocated, packed, read
//! back and attended to. Every kernel packs and reads the block layouts of [`kvplan_core::codec`]: the predicted size
//! and the packed size have one definition, which is why this crate takes them from there and states none of its own.
//!
//! # What lives where
//!
//! - `wgsl/`: one file per kernel. `quantize/`, `dequantize/`, `attention/`, `movement/` and `rotate/` are kernels;
//!   `kv/` holds decoders, which `attention/*` and `dequantize/rows` take in; `pairs.txt` names the decoders of each
//!   codec's keys and values; `shared/` holds what several use; `probe/` exists for tests.
//! - `build.rs`, `build/`: expands imports (`build/import.rs` lists the forms), validates with naga, lints (what every
//!   WebGPU browser grants, no more) and reflects. The result is [`shader`]: names, workgroup sizes, bindings, constants,
//!   parameter structs. Rust repeats none of them by hand.
//! - [`cpu`]: the twins. `wgsl/quantize/q8_0.wgsl` is `cpu::quantize::q8_0`: same name, same arguments in binding order,
//!   same walk. [`cpu::oracle`] is attention in f64 with an error bound.
//! - [`gpu`]: the runner. Adapters, buffers, pipelines, timing, read-back, typed errors; native and browser alike.
//! - [`model`]: how long a kernel takes: a model fitted to some measured runs, checked on others. No adapter.
//! - [`quality`]: what a codec does to K, V, logits and attention output on captured activations. No adapter.
//! - [`op`]: launches with parameters, constants and grid filled in, and [`op::CODECS`], one row per codec.
//!   [`op::BlockGtqKeys`] stands beside it: its layout is made from data, head by head.
//! - [`convert`]: rows to a codec's bytes and back on an adapter.
//! - [`validate`]: the planner's numbers held against all of this: cases, a runner, records. `kvplan validate` prints them.
//!
//! # How a cache is read
//!
//! Attention knows tokens, heads and elements; a decoder knows bytes. Between them:
//!
//! - [`shader::Geometry`], one per side (`params.k_side`, `params.v_side`): where the side's bytes lie. Rust computes it
//!   from the codec's layout and the [`op::Arrangement`] ([`op::SideKernels::geometry`]): rows of all heads (ggml), a
//!   record per head (scales or norms inside), K and V of a head in one slot, scales in a plane of their own, groups over
//!   tokens with a window in 16 bits.
//! - `Place` (`shared/place.wgsl`): sequence, token, slot, the sequence's length. The kernel makes it.
//! - `kv_record(place, head) -> Record`: where one head's vector of one token lies, found once per vector. The common one
//!   (`#import shared/record as kv`) is arithmetic on the geometry; a decoder with other ideas (a window that depends on
//!   `place.length`, say) defines its own and stores what it needs in the record.
//! - `kv_load4(record, element) -> vec4<f32>`: elements `element..element + 4`, `element` a multiple of 4, both counted
//!   inside the head. Where blocks cross heads, `record.first` is the head's first element in the row.
//! - `kv_load16(record, element) -> mat4x4<f32>`: sixteen of them, `element` a multiple of 16, the very values of four
//!   `kv_load4`. Decoding and `dequantize/rows` read by it where heads are whole sixteens: what a block shares (scale, minimum,
//!   high bits, words that straddle) is read once, which is most of what reading costs. A decoder with nothing to share
//!   imports `shared/sixteen as kv`.
//! - `kv_FACTORS`, `kv_factors`, `kv_record_measured`: numbers that take a whole vector to find (a norm over the length of
//!   the decoded levels). `kv_record` leaves them in `kv_factors`; a kernel whose invocations share a vector has one of them
//!   measure it and gives the others what it found. Most decoders have none and import `shared/no_factors as kv`.
//! - `beside[params.kv_side.beside ..][.. beside_words]`: a buffer for what lies outside the cache, shared by both sides
//!   ([`op::Beside`]): static scales (`#import shared/scale as kv` reads one per tensor, one per head, or 1), tables.
//!
//! # Adding a codec
//!
//! Suppose its keys are `a` and its values `b`; where both sides are alike, one of each does.
//!
//! 1. `wgsl/quantize/a.wgsl`: imports `shared/rows`, reads `src` (f32 bits, `[token][head][element]`), writes `dst`: the
//!    bytes [`kvplan_core::codec`] writes, rows end to end. `const UNIT` is the number of elements one invocation takes; the
//!    unit must begin on a word of `dst`. Without a `UNIT`, an invocation takes `params.rows_per_unit` rows (1, 2 or 4,
//!    whatever makes whole words; a row is a head's vector where the layout is per head, else the row of all heads). With
//!    `const LANES`, that many invocations (a workgroup) share the unit.
//!    `shared/stream` writes bytes one after the other, `shared/row_scale` divides by the scale beside the cache.
//! 2. `wgsl/kv/a.wgsl`: `kv_record`, `kv_load4` and `kv_load16`. Everything the file declares begins with `kv_` (it is imported twice,
//!    renamed); what both sides may share comes by an import without `as`. `shared/bytes` reads at any byte.
//! 3. Sizes come from `#import layout/NAME`, or `#import layout/NAME.key as K` where the sides differ: `K_ELEMENTS`,
//!    `K_BYTES`, `K_EXTRA`, `K_RESIDUAL` and the offsets of the block's fields. Never type one.
//! 4. The twins: `cpu/quantize/a.rs` (a [`cpu::quantize::Quantize`]) and `cpu/kv/a.rs` (a [`cpu::kv::Decoder`] constant).
//! 5. One line of `pairs.txt` and one row of `op/table.rs`. [`op::Domain`] says whether the decoder's vectors are turned.
//!
//! A decoder of a layout whose scales follow a vector's codes declares `const kv_CODE_BITS` and reads them at
//! `record.scales`: the geometry then places them, behind the codes or in a page's plane of their own.
//! [`op::SideKernels::append`] takes what a quantize kernel wrote to wherever the arrangement wants it.
//!
//! The tests over [`op::CODECS`], decode and prefill attention, and `kvplan validate` follow from the row: bytes are held
//! against [`kvplan_core::codec::Codec::encode_tensor`], windows in 16 bits and groups over tokens included. A kernel
//! that takes fewer head widths than its layout says so in [`op::Widths`], and refuses the others.
//!
//! # What is exact and what is not
//!
//! *Packed bytes are exact*: equal to the reference on any conforming device. WGSL lets a device divide to 2.5 ULP, fuse
//! a product into a sum, flush subnormals and round `pack2x16float` either way, and each of these moves a code that lies
//! at a tie. Quantizers therefore compute on integers: `shared/exact.wgsl` multiplies, divides, adds and rounds f32 bit
//! patterns as IEEE 754 does, and `shared/half.wgsl` rounds to the 16-bit formats. A reference encoder is ported
//! operation by operation, and a test holds each of these operations against the CPU's. Integer arithmetic costs ten times
//! as much, so `shared/near.wgsl` says when a code that plain f32 gave is certain: in all but one element of 2000. Vectors
//! that are turned before they are quantized are done in plain f32 first and again on integers where a code or the norm is
//! within the error of that (`shared/turn.wgsl`); so a sum of a whole vector never moves a byte either.
//!
//! *Decoded values are exact* where the device converts f16 subnormals without flushing them (WGSL permits the flush;
//! no device known to us does it): a code times an f16 scale has at most 19 significant bits. Where a scale is an f32, the product is rounded once, as IEEE
//! 754 does on every device known to us; WGSL permits either neighbour.
//!
//! Keys of vLLM's `turboquant_*_nc` are brought to the length of their norm when they are read: that is a sum over the
//! vector, and good to 1e-6.
//!
//! *Attention is not exact*: sums in another order, `exp` good to 3+2|x| ULP. Each output element must lie within the
//! bound that [`cpu::oracle::attention`] derives for it from the data and from WGSL's accuracy table.
//!
//! *Infinities and NaN* are refused before upload ([`gpu::GpuError::NonFinite`]): one would spoil its block, and WGSL
//! lets a compiler assume there are none.

pub mod convert;
pub mod cpu;
pub mod gpu;
pub mod model;
pub mod op;
pub mod quality;
pub mod shader;
pub mod validate;

#[cfg(test)]
#[path = "../build/alone.rs"]
mod alone;
#[cfg(test)]
#[path = "../build/import.rs"]
mod import;
#[cfg(test)]
#[path = "../build/lint.rs"]
mod lint;
#[cfg(test)]
#[path = "../build/tables.rs"]
mod tables;
