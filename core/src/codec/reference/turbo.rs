//! The fork's turbo types: norm, signed Hadamard rotation of 128, nearest of a fixed codebook, corrected norm.
//!
//! Stored is `norm = ‖x‖ / ‖codes‖`, so that decoding restores the length. The 4-bit codebook is the fork's own (it is
//! not the Lloyd-Max table). Widths are padded with zeros to a multiple of 128; decoding rotates back and drops the
//! padding, where the fork leaves rows rotated and rotates queries instead.

use super::rotation::{butterflies, negate};
use super::{
    Arithmetic,
    num::{self, norm},
};
use crate::codec::tables::{
    TURBO_CUTS_2 as CUTS_2, TURBO_CUTS_3 as CUTS_3, TURBO_CUTS_4 as CUTS_4, TURBO_LEVELS_2 as LEVELS_2,
    TURBO_LEVELS_3 as LEVELS_3, TURBO_LEVELS_4 as LEVELS_4, TURBO_SIGNS_AFTER as SIGNS_AFTER,
    TURBO_SIGNS_BEFORE as SIGNS_BEFORE,
};

const BLOCK: usize = 128;
/// The fork's literal 0.08838834764831845f: 2^-3.5.
const INV_SQRT_BLOCK: f32 = std::f32::consts::FRAC_1_SQRT_2 / 8.0;
/// Below this a norm counts as zero.
const LEAST_NORM: f32 = 1e-10;

/// Code of a rotated coordinate: how many cuts lie at or below it, counted from the lowest.
fn code(x: f32, cuts: &[f32]) -> u8 {
    let below = cuts.iter().filter(|cut| x >= -**cut).count();
    let above = cuts.iter().filter(|cut| x >= **cut).count();
    [below, usize::from(x >= 0.0), above].into_iter().flat_map(u8::try_from).sum()
}

fn level(code: u8, levels: &[f32]) -> f32 {
    let (code, half) = (usize::from(code), levels.len());
    let at = |i: usize| levels.get(i).copied().unwrap_or_default();
    if code < half { -at(half - 1 - code) } else { at(code - half) }
}

/// Codes and corrected norm of one block.
fn quantize(block: &[f32; BLOCK], levels: &[f32], cuts: &[f32]) -> (f32, [u8; BLOCK]) {
    let length = norm(block);
    let inverse = if length > LEAST_NORM { 1.0 / length } else { 0.0 };
    let mut x = block.map(|x| x * inverse);
    negate(&mut x, &[SIGNS_BEFORE]);
    butterflies(&mut x);
    let mut x = x.map(|x| x * INV_SQRT_BLOCK);
    negate(&mut x, &[SIGNS_AFTER]);
    let codes = x.map(|x| code(x, cuts));
    let restored = norm(&codes.map(|q| level(q, levels)));
    (if restored > LEAST_NORM { length / restored } else { length }, codes)
}

fn dequantize(norm: f32, codes: impl Iterator<Item = u8>, levels: &[f32]) -> [f32; BLOCK] {
    let mut x = [0.0; BLOCK];
    for (x, q) in x.iter_mut().zip(codes) {
        *x = level(q, levels) * norm;
    }
    negate(&mut x, &[SIGNS_AFTER]);
    butterflies(&mut x);
    negate(&mut x, &[SIGNS_BEFORE]);
    x.map(|x| x * INV_SQRT_BLOCK)
}

/// Rows in blocks of 128, the last one padded with zeros.
fn blocks(dim: usize, values: &[f32], mut each: impl FnMut(&[f32; BLOCK])) {
    for row in values.chunks_exact(dim) {
        for part in row.chunks(BLOCK) {
            let mut block = [0.0; BLOCK];
            for (slot, x) in block.iter_mut().zip(part) {
                *slot = *x;
            }
            each(&block);
        }
    }
}

/// Four codes of two bits per byte, the first in the lowest bits.
fn two_bits(codes: &[u8; BLOCK]) -> impl Iterator<Item = u8> {
    codes.as_chunks::<4>().0.iter().map(|c| c.iter().rev().fold(0, |byte, q| byte << 2 | (q & 3)))
}

fn two_bit_codes(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|b| [b & 3, b >> 2 & 3, b >> 4 & 3, b >> 6])
}

/// Appends the first `dim` of a row's decoded blocks.
fn take(dim: usize, out: &mut Vec<f32>, decoded: impl Iterator<Item = [f32; BLOCK]>) {
    out.extend(decoded.flatten().take(dim));
}

pub(in crate::codec) const TURBO2: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| {
        blocks(dim, values, |block| {
            let (norm, codes) = quantize(block, &LEVELS_2, &CUTS_2);
            out.extend(num::f16_bytes(norm));
            out.extend(two_bits(&codes));
        });
    },
    |dim, row, out| {
        let blocks = row.as_chunks::<34>().0.iter();
        take(
            dim,
            out,
            blocks.map(|[n0, n1, qs @ ..]| {
                dequantize(num::f16_value([*n0, *n1]), two_bit_codes(qs), &LEVELS_2)
            }),
        );
    },
);

/// The low two bits of the codes, then their high bits.
pub(in crate::codec) const TURBO3: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| {
        blocks(dim, values, |block| {
            let (norm, codes) = quantize(block, &LEVELS_3, &CUTS_3);
            out.extend(num::f16_bytes(norm));
            out.extend(two_bits(&codes));
            let high = codes.as_chunks::<8>().0;
            out.extend(high.iter().map(|c| c.iter().rev().fold(0, |byte, q| byte << 1 | q >> 2)));
        });
    },
    |dim, row, out| {
        let blocks = row.as_chunks::<50>().0.iter();
        take(
            dim,
            out,
            blocks.map(|[n0, n1, codes @ ..]| {
                let (low, high) = codes.split_at(BLOCK / 4);
                let high = high.iter().flat_map(|b| (0..8).map(move |j| b >> j & 1));
                let codes = two_bit_codes(low).zip(high).map(|(low, high)| low | high << 2);
                dequantize(num::f16_value([*n0, *n1]), codes, &LEVELS_3)
            }),
        );
    },
);

/// Even elements in the low nibbles; two unused bytes after the norm.
pub(in crate::codec) const TURBO4: Arithmetic = Arithmetic::finite(
    |_, dim, values, out| {
        blocks(dim, values, |block| {
            let (norm, codes) = quantize(block, &LEVELS_4, &CUTS_4);
            out.extend(num::f16_bytes(norm));
            out.extend([0, 0]);
            out.extend(codes.as_chunks::<2>().0.iter().map(|[low, high]| low | high << 4));
        });
    },
    |dim, row, out| {
        let blocks = row.as_chunks::<68>().0.iter();
        take(
            dim,
            out,
            blocks.map(|[n0, n1, _, _, qs @ ..]| {
                let codes = qs.iter().flat_map(|b| [b & 0x0f, b >> 4]);
                dequantize(num::f16_value([*n0, *n1]), codes, &LEVELS_4)
            }),
        );
    },
);

#[cfg(test)]
mod tests {
    use super::*;

    /// C rounds the fork's literal to 0x3db504f3; one more digit dropped would be the next number.
    #[test]
    fn the_transforms_scale_is_the_forks() {
        assert_eq!(INV_SQRT_BLOCK.to_bits(), 0x3db5_04f3);
        assert_eq!("0.08838834764831845".parse(), Ok(INV_SQRT_BLOCK));
    }
}
