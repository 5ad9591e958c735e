//! Turning rows before they are quantized, queries with keys, and attention's output back.

use super::word;
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Turn};

/// Turns every run of `width` f32 of `values` by the normalised Walsh–Hadamard transform, in place; a second time turns
/// back. Bit for bit [`kvplan_core::codec::Rotation::hadamard`].
///
/// [`kvplan_core::codec::Rotation::llama_cpp`] says which width llama.cpp takes for which side: keys and queries have
/// K's, values and outputs V's.
///
/// # Errors
/// [`GpuError::Arguments`] when the width is no power of two up to 1024 or does not divide the values.
pub fn hadamard(width: u32, values: &Buffer) -> Result<Dispatch<'_>, GpuError> {
    let shader = &shader::rotate::HADAMARD;
    let params = hadamard_params(width, values.bytes())?;
    let constant = |name: &str| u64::from(shader.constant(name).unwrap_or(1));
    let tiles = u64::from(params.elements).div_ceil(constant("TILE"));
    Ok(Dispatch::new(shader).params(params.bytes()).buffers([values]).invocations(tiles * constant("LANES")))
}

/// The kernel's parameters for `bytes` of values.
///
/// # Errors
/// As [`hadamard`].
pub fn hadamard_params(width: u32, bytes: u64) -> Result<Turn, GpuError> {
    let shader = &shader::rotate::HADAMARD;
    let widest = shader.constant("TILE").unwrap_or(0);
    if !width.is_power_of_two() || width > widest {
        return super::refuse(
            shader,
            format!("runs of {width} elements: powers of two up to {widest} are turned"),
        );
    }
    if !bytes.is_multiple_of(4 * u64::from(width)) {
        return super::refuse(shader, format!("{bytes} bytes are no whole runs of {width} elements"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "1/√width is meant to be rounded to f32")]
    let scale = f64::from(width).sqrt().recip() as f32;
    Ok(Turn { elements: word(shader, "elements", bytes / 4)?, width, scale })
}
