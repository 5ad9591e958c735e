//! MLX affine quantization, groups of 64. Per row a plane of codes as one little-endian bit stream, then the scales, then
//! the biases; scale and bias are bf16, the usual model type.

use super::{Arithmetic, num};
use half::bf16;

const GROUP: usize = 64;

pub(in crate::codec) const B2: Arithmetic = affine::<2>();
pub(in crate::codec) const B3: Arithmetic = affine::<3>();
pub(in crate::codec) const B4: Arithmetic = affine::<4>();
pub(in crate::codec) const B5: Arithmetic = affine::<5>();
pub(in crate::codec) const B6: Arithmetic = affine::<6>();
pub(in crate::codec) const B8: Arithmetic = affine::<8>();

const fn affine<const BITS: usize>() -> Arithmetic {
    Arithmetic::finite(|_, dim, values, out| encode::<BITS>(dim, values, out), decode::<BITS>)
}

fn encode<const BITS: usize>(dim: usize, values: &[f32], out: &mut Vec<u8>) {
    let top = f32::from(num::byte((1 << BITS) - 1));
    for row in values.chunks_exact(dim) {
        let mut scales = Vec::with_capacity(dim / GROUP * 4);
        let mut biases = Vec::with_capacity(dim / GROUP * 2);
        for group in row.as_chunks::<GROUP>().0 {
            let (scale, bias) = fit(group, top);
            let codes = group.map(|x| num::code(((x - bias) / scale).round_ties_even().clamp(0.0, top)));
            // Eight codes fill a whole number of bytes at every width.
            for codes in codes.as_chunks::<8>().0 {
                let bits = codes.iter().rev().fold(0u64, |bits, code| bits << BITS | u64::from(*code));
                out.extend(bits.to_le_bytes().into_iter().take(BITS));
            }
            scales.extend(bf16::from_f32(scale).to_le_bytes());
            biases.extend(bf16::from_f32(bias).to_le_bytes());
        }
        out.append(&mut scales);
        out.append(&mut biases);
    }
}

fn decode<const BITS: usize>(dim: usize, row: &[u8], out: &mut Vec<f32>) {
    let (codes, meta) = row.split_at(dim * BITS / 8);
    let (scales, biases) = meta.split_at(dim / GROUP * 2);
    let value = |bytes: &[u8; 2]| bf16::from_le_bytes(*bytes).to_f32();
    let groups = codes.chunks_exact(GROUP * BITS / 8).zip(scales.as_chunks().0).zip(biases.as_chunks().0);
    for ((codes, scale), bias) in groups {
        let (scale, bias) = (value(scale), value(bias));
        for bytes in codes.chunks_exact(BITS) {
            let bits = bytes.iter().rev().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
            let code = |k| num::byte_of(bits >> (k * BITS) & ((1 << BITS) - 1));
            out.extend((0..8).map(|k| f32::from(code(k)) * scale + bias));
        }
    }
}

/// Scale and bias: the extreme of greater magnitude is made a whole number of steps from zero, so that it is stored
/// exactly.
fn fit(group: &[f32; GROUP], top: f32) -> (f32, f32) {
    const LEAST_SCALE: f32 = 1e-7;
    let (min, max) = num::range(group);
    let low_edge = min.abs() > max.abs();
    let step = ((max - min) / top).max(LEAST_SCALE);
    let (step, edge) = if low_edge { (step, min) } else { (-step, max) };
    let steps = (edge / step).round_ties_even();
    if steps == 0.0 { (step, 0.0) } else { (edge / steps, edge) }
}
