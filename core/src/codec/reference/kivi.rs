//! KIVI's value side: groups of 32 channels of one token, all arithmetic in f16. Per row a plane of little-endian words
//! of codes, then the f16 scales, then the f16 minima.

use super::{Arithmetic, num};
use half::f16;

const GROUP: usize = 32;

pub(in crate::codec) const KIVI2: Arithmetic =
    Arithmetic::finite(|_, dim, values, out| encode::<2>(dim, values, out), decode::<2>);
pub(in crate::codec) const KIVI4: Arithmetic =
    Arithmetic::finite(|_, dim, values, out| encode::<4>(dim, values, out), decode::<4>);

fn encode<const BITS: usize>(dim: usize, values: &[f32], out: &mut Vec<u8>) {
    // Every operation is rounded to f16, as torch does on half tensors.
    let top = (1u16 << BITS) - 1;
    for row in values.chunks_exact(dim) {
        let mut scales = Vec::with_capacity(dim / GROUP * 4);
        let mut minima = Vec::new();
        for group in row.as_chunks::<GROUP>().0 {
            let group = group.map(|x| f16::from_f32(x).to_f32());
            let (min, max) = num::range(&group);
            let half = |x: f32| f16::from_f32(x).to_f32();
            let scale = half(half(max - min) / f32::from(top));
            let codes = group.map(|x| {
                let step = half(half(x - min) / scale);
                num::code(step.clamp(0.0, f32::from(top)).round_ties_even())
            });
            for codes in codes.chunks_exact(8 / BITS) {
                out.push(codes.iter().rev().fold(0, |byte, code| byte << BITS | code));
            }
            scales.extend(num::f16_bytes(scale));
            minima.extend(num::f16_bytes(min));
        }
        out.append(&mut scales);
        out.append(&mut minima);
    }
}

fn decode<const BITS: usize>(dim: usize, row: &[u8], out: &mut Vec<f32>) {
    let (codes, meta) = row.split_at(dim * BITS / 8);
    let (scales, minima) = meta.split_at(dim / GROUP * 2);
    let groups = codes.chunks_exact(GROUP * BITS / 8).zip(scales.as_chunks().0).zip(minima.as_chunks().0);
    for ((codes, scale), min) in groups {
        let (scale, min) = (num::f16_value(*scale), num::f16_value(*min));
        let mask = (1u8 << BITS) - 1;
        let each = codes.iter().flat_map(|b| (0..8).step_by(BITS).map(move |shift| b >> shift & mask));
        out.extend(each.map(|q| {
            let scaled = f16::from_f32(f32::from(q) * scale).to_f32();
            f16::from_f32(scaled + min).to_f32()
        }));
    }
}
