use kvplan_core::codec::tables::{
    VLLM_LEVELS_3_AT_64, VLLM_LEVELS_3_AT_128, VLLM_LEVELS_4_AT_64, VLLM_LEVELS_4_AT_128, lloyd_max,
};

use super::{Decoder, Packed, Place, Record, record, signed_level};
use crate::cpu::shared::turn::inverse_root;

/// Four codes of a little-endian bit stream, and the byte after the stream.
fn codes(packed: &Packed<'_>, record: Record, element: u32, bits: u32) -> ([u32; 4], u32) {
    let bit = element * bits;
    let byte = |i: u32| u32::from(packed.byte(record.codes + bit / 8 + i));
    let word = if bits == 2 { byte(0) } else { byte(0) | (byte(1) << 8) } >> (bit & 7);
    let end = record.codes + (packed.geometry.head_dim * bits).div_ceil(8);
    ([0, 1, 2, 3].map(|i| word >> (i * bits) & ((1 << bits) - 1)), end)
}

/// The f16 at any byte.
fn half_at(packed: &Packed<'_>, at: u32) -> f32 {
    half::f16::from_le_bytes([packed.byte(at), packed.byte(at + 1)]).to_f32()
}

fn mse<const BITS: u8>(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let (codes, end) = codes(packed, record, element, u32::from(BITS));
    let root = inverse_root(packed.geometry.head_dim as usize);
    let norm = half_at(packed, end);
    codes.map(|code| signed_level(code, lloyd_max(BITS).unwrap_or_default()) * root * norm)
}

/// `kv/turboquant_mse_2.wgsl`.
pub const TURBOQUANT_MSE_2: Decoder = Decoder::new(mse::<2>);
/// `kv/turboquant_mse_3.wgsl`.
pub const TURBOQUANT_MSE_3: Decoder = Decoder::new(mse::<3>);
/// `kv/turboquant_mse_4.wgsl`.
pub const TURBOQUANT_MSE_4: Decoder = Decoder::new(mse::<4>);

/// Levels of vLLM's codebook for four elements.
fn levels<const BITS: u32>(packed: &Packed<'_>, record: Record, element: u32) -> ([f32; 4], u32) {
    let (codes, end) = codes(packed, record, element, BITS);
    let dim = packed.geometry.head_dim;
    let odd = dim.trailing_zeros() & 1 == 1;
    let half: &[f32] = match (BITS, odd) {
        (3, false) => &VLLM_LEVELS_3_AT_64,
        (3, true) => &VLLM_LEVELS_3_AT_128,
        (_, false) => &VLLM_LEVELS_4_AT_64,
        (_, true) => &VLLM_LEVELS_4_AT_128,
    };
    // A power of two.
    let scale = inverse_root(dim as usize) / inverse_root(if odd { 128 } else { 64 });
    (codes.map(|code| signed_level(code, half) * scale), end)
}

fn key_record<const BITS: u32>(packed: &Packed<'_>, at: Place, head: u32) -> Record {
    let record = record(packed, at, head);
    let mut square = 0.0;
    let mut end = 0;
    for element in (0..packed.geometry.head_dim).step_by(4) {
        let (levels, after) = levels::<BITS>(packed, record, element);
        square +=
            levels[0] * levels[0] + levels[1] * levels[1] + levels[2] * levels[2] + levels[3] * levels[3];
        end = after;
    }
    let scale = half_at(packed, end) * (1.0 / (square + 1e-16).sqrt());
    Record { scales: scale.to_bits(), ..record }
}

fn key_load4<const BITS: u32>(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    levels::<BITS>(packed, record, element).0.map(|level| level * f32::from_bits(record.scales))
}

/// `kv/turboquant_k3.wgsl`.
pub const TURBOQUANT_K3: Decoder = Decoder { record: key_record::<3>, load4: key_load4::<3> };
/// `kv/turboquant_k4.wgsl`.
pub const TURBOQUANT_K4: Decoder = Decoder { record: key_record::<4>, load4: key_load4::<4> };

#[expect(clippy::cast_precision_loss, reason = "codes of at most four bits")]
fn value<const BITS: u32>(packed: &Packed<'_>, record: Record, element: u32) -> [f32; 4] {
    let (codes, end) = codes(packed, record, element, BITS);
    codes.map(|code| code as f32 * half_at(packed, end) + half_at(packed, end + 2))
}

/// `kv/turboquant_v3.wgsl`.
pub const TURBOQUANT_V3: Decoder = Decoder::new(value::<3>);
/// `kv/turboquant_v4.wgsl`.
pub const TURBOQUANT_V4: Decoder = Decoder::new(value::<4>);
