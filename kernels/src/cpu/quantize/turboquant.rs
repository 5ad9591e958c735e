use kvplan_core::codec::tables::{
    VLLM_LEVELS_3_AT_64, VLLM_LEVELS_3_AT_128, VLLM_LEVELS_4_AT_64, VLLM_LEVELS_4_AT_128, lloyd_max,
};

use super::turned_codes::{direction, turned_codes};
use crate::cpu::shared::{Cuts, Staging, turn};
use crate::shader::Rows;

/// `shared/codebook.wgsl`: codes and f16 norm of every vector.
fn book(
    params: &Rows,
    src: &[u32],
    dst: &mut [u32],
    bits: u32,
    cuts: &Cuts,
    direction: impl Fn(f32, f32) -> f32,
    rotate: impl Fn(&mut [f32]),
) {
    let n = params.width;
    let row_bytes = (n * bits).div_ceil(8) + 2;
    for unit in 0..params.rows.div_ceil(params.rows_per_unit) {
        let first = unit * params.rows_per_unit;
        let count = params.rows_per_unit.min(params.rows - first);
        let mut out = Staging::cleared(count * row_bytes);
        for row in 0..count {
            let given = &src[((first + row) * n) as usize..][..n as usize];
            let given = given.iter().map(|x| f32::from_bits(*x)).collect();
            let (norm, codes) = turned_codes(given, cuts, &direction, &rotate);
            let bit = row * row_bytes * 8;
            for (i, code) in (0..).zip(codes) {
                out.put(bit + i * bits, code, bits);
            }
            out.put(bit + (n * bits).div_ceil(8) * 8, u32::from(half::f16::from_f32(norm).to_bits()), 16);
        }
        out.write(dst, first * row_bytes / 4);
    }
}

/// `shared/lloyd_max.wgsl`.
fn mse<const BITS: u8>(params: &Rows, src: &[u32], dst: &mut [u32]) {
    let root = turn::inverse_root(params.width as usize);
    let half: Vec<f32> = lloyd_max(BITS).unwrap_or_default().iter().map(|x| x * root).collect();
    book(params, src, dst, u32::from(BITS), &Cuts::between(&half, false), direction, turn::turned);
}

/// `shared/vllm_key.wgsl`.
#[expect(clippy::cast_precision_loss, reason = "a head's width")]
fn vllm_key(params: &Rows, src: &[u32], dst: &mut [u32], bits: u32, even: &[f32], odd: &[f32]) {
    let odd_width = params.width.trailing_zeros() & 1 == 1;
    let (half, solved_at) = if odd_width { (odd, 128.0) } else { (even, 64.0) };
    let scale = (solved_at / params.width as f32).sqrt();
    let half: Vec<f32> = half.iter().map(|x| x * scale).collect();
    let direction = |x: f32, norm: f32| x / (norm + 1e-8);
    book(params, src, dst, bits, &Cuts::between(&half, true), direction, turn::hadamard);
}

/// `quantize/turboquant_mse_2.wgsl`.
pub fn turboquant_mse_2(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    mse::<2>(params, src, dst);
}

/// `quantize/turboquant_mse_3.wgsl`.
pub fn turboquant_mse_3(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    mse::<3>(params, src, dst);
}

/// `quantize/turboquant_mse_4.wgsl`.
pub fn turboquant_mse_4(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    mse::<4>(params, src, dst);
}

/// `quantize/turboquant_k3.wgsl`.
pub fn turboquant_k3(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    vllm_key(params, src, dst, 3, &VLLM_LEVELS_3_AT_64, &VLLM_LEVELS_3_AT_128);
}

/// `quantize/turboquant_k4.wgsl`.
pub fn turboquant_k4(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    vllm_key(params, src, dst, 4, &VLLM_LEVELS_4_AT_64, &VLLM_LEVELS_4_AT_128);
}

/// `shared/vllm_value.wgsl`.
#[expect(clippy::cast_precision_loss, reason = "7 or 15")]
fn vllm_value(params: &Rows, src: &[u32], dst: &mut [u32], bits: u32) {
    let top = ((1u32 << bits) - 1) as f32;
    let code_bytes = (params.width * bits).div_ceil(8);
    for unit in 0..params.rows.div_ceil(params.rows_per_unit) {
        let first = unit * params.rows_per_unit;
        let count = params.rows_per_unit.min(params.rows - first);
        let mut out = Staging::cleared(count * (code_bytes + 4));
        for row in 0..count {
            let x = &src[((first + row) * params.width) as usize..][..params.width as usize];
            let (mut lowest, mut highest) = (f32::MAX, -f32::MAX);
            for x in x.iter().map(|x| f32::from_bits(*x)) {
                lowest = if x < lowest { x } else { lowest };
                highest = if x > highest { x } else { highest };
            }
            let scale = ((highest - lowest) / top).max(1e-8);
            let bit = row * (code_bytes + 4) * 8;
            for (i, x) in (0..).zip(x) {
                let step = (f32::from_bits(*x) - lowest) / scale + 0.5;
                // NaN is the top as well.
                let code = crate::cpu::shared::low_byte(step.min(top));
                out.put(bit + i * bits, u32::from(code), bits);
            }
            let half = |x: f32| u32::from(half::f16::from_f32(x).to_bits());
            out.put(bit + code_bytes * 8, half(scale), 16);
            out.put(bit + code_bytes * 8 + 16, half(lowest), 16);
        }
        out.write(dst, first * (code_bytes + 4) / 4);
    }
}

/// `quantize/turboquant_v3.wgsl`.
pub fn turboquant_v3(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    vllm_value(params, src, dst, 3);
}

/// `quantize/turboquant_v4.wgsl`.
pub fn turboquant_v4(params: &Rows, src: &[u32], _beside: &[u32], dst: &mut [u32]) {
    vllm_value(params, src, dst, 4);
}
