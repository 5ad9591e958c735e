//! KIVI, all arithmetic in f16: groups of 32 that share a scale and a minimum.
//!
//! Values are grouped over the channels of one token: per row a plane of little-endian words of codes, then the f16 scales,
//! then the f16 minima. Keys are grouped over 32 consecutive tokens of one channel: per head and group a plane of words,
//! channel after channel, then the scales and the minima of all channels. The implementation keeps the three planes of a
//! head's keys in three tensors that grow along time; putting each group's part together is ours, so that appending
//! moves no byte. Words, scales and minima are its own (`quant/new_pack.py`).

use super::{Arithmetic, TokenArithmetic, num};
use half::f16;

const GROUP: usize = 32;

pub(in crate::codec) const KIVI2: Arithmetic =
    Arithmetic::finite(|_, dim, values, out| encode::<2>(dim, values, out), decode::<2>);
pub(in crate::codec) const KIVI4: Arithmetic =
    Arithmetic::finite(|_, dim, values, out| encode::<4>(dim, values, out), decode::<4>);
pub(in crate::codec) const KIVI2_KEYS: TokenArithmetic = keys::<2>();
pub(in crate::codec) const KIVI4_KEYS: TokenArithmetic = keys::<4>();

/// f16 scale, f16 minimum and codes of 32 values. Every operation is rounded to f16, as torch does on half tensors.
fn quantize<const BITS: usize>(group: &[f32; GROUP]) -> (f32, f32, [u8; GROUP]) {
    let half = |x: f32| f16::from_f32(x).to_f32();
    let top = f32::from(num::byte((1 << BITS) - 1));
    let group = group.map(half);
    let (min, max) = num::range(&group);
    let scale = half(half(max - min) / top);
    let codes = group.map(|x| {
        let step = half(half(x - min) / scale);
        num::code(step.clamp(0.0, top).round_ties_even())
    });
    (scale, min, codes)
}

fn dequantize(code: u8, scale: f32, min: f32) -> f32 {
    let scaled = f16::from_f32(f32::from(code) * scale).to_f32();
    f16::from_f32(scaled + min).to_f32()
}

/// Groups as planes: words, scales, minima.
fn planes<const BITS: usize>(groups: impl Iterator<Item = [f32; GROUP]>, out: &mut Vec<u8>) {
    let (mut scales, mut minima) = (Vec::new(), Vec::new());
    for group in groups {
        let (scale, min, codes) = quantize::<BITS>(&group);
        for codes in codes.chunks_exact(8 / BITS) {
            out.push(codes.iter().rev().fold(0, |byte, code| byte << BITS | code));
        }
        scales.extend(num::f16_bytes(scale));
        minima.extend(num::f16_bytes(min));
    }
    out.append(&mut scales);
    out.append(&mut minima);
}

/// The groups of [`planes`]: 32 codes' bytes, scale and minimum each.
fn groups<const BITS: usize>(count: usize, planes: &[u8]) -> impl Iterator<Item = (&[u8], f32, f32)> {
    let (codes, meta) = planes.split_at((count * GROUP * BITS / 8).min(planes.len()));
    let (scales, minima) = meta.split_at((count * 2).min(meta.len()));
    codes
        .chunks_exact(GROUP * BITS / 8)
        .zip(scales.as_chunks().0)
        .zip(minima.as_chunks().0)
        .map(|((codes, scale), min)| (codes, num::f16_value(*scale), num::f16_value(*min)))
}

/// The code of one position in a group.
fn code_at<const BITS: usize>(codes: &[u8], at: usize) -> u8 {
    let byte = codes.get(at * BITS / 8).copied().unwrap_or_default();
    byte >> (at * BITS % 8) & ((1 << BITS) - 1)
}

fn encode<const BITS: usize>(dim: usize, values: &[f32], out: &mut Vec<u8>) {
    for row in values.chunks_exact(dim) {
        planes::<BITS>(row.as_chunks().0.iter().copied(), out);
    }
}

fn decode<const BITS: usize>(dim: usize, row: &[u8], out: &mut Vec<f32>) {
    for (codes, scale, min) in groups::<BITS>(dim / GROUP, row) {
        out.extend((0..GROUP).map(|at| dequantize(code_at::<BITS>(codes, at), scale, min)));
    }
}

const fn keys<const BITS: usize>() -> TokenArithmetic {
    TokenArithmetic {
        tokens: GROUP,
        encode: |dim, values, out| {
            let channel = |c: usize| {
                let mut group = [0.0; GROUP];
                for (slot, x) in group.iter_mut().zip(values.iter().skip(c).step_by(dim)) {
                    *slot = *x;
                }
                group
            };
            planes::<BITS>((0..dim).map(channel), out);
        },
        decode: |dim, group, token, out| {
            let channels = groups::<BITS>(dim, group);
            out.extend(
                channels.map(|(codes, scale, min)| dequantize(code_at::<BITS>(codes, token), scale, min)),
            );
        },
    }
}
