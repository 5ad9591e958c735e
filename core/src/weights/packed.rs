//! Quantized checkpoints in safetensors and MLX: codes, scales and zeros of the matrices, the rest in 16 bits.

use super::component::Component;
use super::format::{Float, Packing};
use crate::spec::shape::is_routed;
use crate::unit::{Bytes, Overflow};

/// Bytes of a tensor in a plain type.
pub(super) fn plain(float: Float, dims: &[u64]) -> Result<Bytes, Overflow> {
    let n = dims.iter().try_fold(1u64, |n, d| n.checked_mul(*d)).ok_or(Overflow)?;
    Bytes::new(n).times(float.bytes())
}

/// Bytes of a tensor under a packing.
pub(super) fn bytes(packing: Packing, name: &str, dims: &[u64]) -> Result<Bytes, Overflow> {
    let Some(matrix) = Matrix::of(packing, name, dims)? else { return plain(Float::Bf16, dims) };
    let Matrix { inputs, outputs, count } = matrix;
    let elements = inputs.checked_mul(outputs).ok_or(Overflow)?;
    let bits = |bits: u64| elements.checked_mul(bits).map(|b| b.div_ceil(8)).ok_or(Overflow);
    let groups = |size: u64| inputs.div_ceil(size).checked_mul(outputs).ok_or(Overflow);
    let sum = |parts: &[u64]| parts.iter().try_fold(0u64, |n, p| n.checked_add(*p)).ok_or(Overflow);
    let times = |n: u64, by: u64| n.checked_mul(by).ok_or(Overflow);
    let one = match packing {
        Packing::Fp8Tensor => sum(&[elements, 4])?,
        Packing::Fp8Channel | Packing::Int8Channel => sum(&[elements, times(outputs, 4)?])?,
        Packing::Fp8Block => {
            sum(&[elements, times(times(inputs.div_ceil(128), outputs.div_ceil(128))?, 4)?])?
        }
        // A scale of 16 bits and a zero of 4.
        Packing::Awq { group } => sum(&[bits(4)?, times(groups(group)?, 2)?, groups(group)?.div_ceil(2)])?,
        Packing::Gptq { bits: wide, group } => sum(&[
            bits(wide)?,
            times(groups(group)?, 2)?,
            times(groups(group)?, wide)?.div_ceil(8),
            times(inputs, 4)?,
        ])?,
        Packing::IntSymmetric { bits: wide, group } => sum(&[bits(wide)?, times(groups(group)?, 2)?])?,
        Packing::Nvfp4 => sum(&[bits(4)?, groups(16)?, 8])?,
        Packing::Mxfp4 | Packing::Mxfp4Experts => sum(&[bits(4)?, groups(32)?])?,
        Packing::Nf4 { double } => {
            let blocks = elements.div_ceil(64);
            let scales =
                if double { sum(&[blocks, times(blocks.div_ceil(256), 4)?])? } else { times(blocks, 4)? };
            sum(&[bits(4)?, scales])?
        }
        Packing::Mlx { bits: wide, group } => sum(&[bits(wide)?, times(groups(group)?, 4)?])?,
    };
    Bytes::new(one).times(count)
}

/// A matrix that a packing quantizes, or several equal ones.
struct Matrix {
    inputs: u64,
    outputs: u64,
    count: u64,
}

impl Matrix {
    fn of(packing: Packing, name: &str, dims: &[u64]) -> Result<Option<Self>, Overflow> {
        let (inputs, outputs, count) = match dims {
            [inputs, outputs] => (*inputs, *outputs, 1),
            [inputs, outputs, experts] if is_routed(name) => (*inputs, *outputs, *experts),
            // One matrix in the checkpoint, a stack of heads here.
            [inputs, outputs, heads] => (*inputs, outputs.checked_mul(*heads).ok_or(Overflow)?, 1),
            _ => return Ok(None),
        };
        let linear = match Component::of_gguf(name) {
            Component::Attention | Component::Mlp | Component::Experts | Component::SharedExperts => true,
            Component::Ssm => {
                matches!(name, "ssm_in" | "ssm_out" | "shortconv.in_proj" | "shortconv.out_proj")
            }
            Component::TokenEmbedding | Component::OutputHead => matches!(packing, Packing::Mlx { .. }),
            Component::Router
            | Component::Norms
            | Component::Mtp
            | Component::Projector
            | Component::Draft
            | Component::Lora
            | Component::Other => false,
        };
        let chosen = if let Packing::Mxfp4Experts = packing {
            is_routed(name)
        } else if let Packing::Mlx { group, .. } = packing {
            linear && inputs.is_multiple_of(group)
        } else {
            linear
        };
        let found = chosen && !name.ends_with(".bias");
        Ok(found.then_some(Self { inputs, outputs, count }))
    }
}
