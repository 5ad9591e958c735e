//! MLX affine quantization, groups of 64, 4 bits. Per row a plane of little-endian words of codes, then the scales, then
//! the biases; scale and bias are bf16, the usual model type.

use super::{Arithmetic, num};
use half::bf16;

const GROUP: usize = 64;
const TOP: f32 = 15.0;

pub(in crate::codec) const B4: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| {
        for row in values.chunks_exact(dim) {
            let mut scales = Vec::new();
            let mut biases = Vec::new();
            for group in row.as_chunks::<GROUP>().0 {
                let (scale, bias) = affine(group);
                let codes = group.map(|x| num::code(((x - bias) / scale).round_ties_even().clamp(0.0, TOP)));
                out.extend(codes.as_chunks::<2>().0.iter().map(|[low, high]| low | high << 4));
                scales.extend(bf16::from_f32(scale).to_le_bytes());
                biases.extend(bf16::from_f32(bias).to_le_bytes());
            }
            out.append(&mut scales);
            out.append(&mut biases);
        }
    },
    |dim, row, out| {
        let (codes, meta) = row.split_at(dim / 2);
        let (scales, biases) = meta.split_at(dim / GROUP * 2);
        let groups =
            codes.as_chunks::<{ GROUP / 2 }>().0.iter().zip(scales.as_chunks().0).zip(biases.as_chunks().0);
        for ((codes, scale), bias) in groups {
            let (scale, bias) = (bf16::from_le_bytes(*scale).to_f32(), bf16::from_le_bytes(*bias).to_f32());
            let each = codes.iter().flat_map(|b| [b & 0x0f, b >> 4]);
            out.extend(each.map(|q| f32::from(q) * scale + bias));
        }
    },
);

/// Scale and bias: the extreme of greater magnitude is made a whole number of steps from zero, so that it is stored
/// exactly.
fn affine(group: &[f32; GROUP]) -> (f32, f32) {
    const LEAST_SCALE: f32 = 1e-7;
    let (min, max) = num::range(group);
    let low_edge = min.abs() > max.abs();
    let step = ((max - min) / TOP).max(LEAST_SCALE);
    let (step, edge) = if low_edge { (step, min) } else { (-step, max) };
    let steps = (edge / step).round_ties_even();
    if steps == 0.0 { (step, 0.0) } else { (edge / steps, edge) }
}
