//! Turning rows before they are quantized, queries with keys, and attention's output back.

use super::{Domain, Hadamard, word};
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Signs, Turn};

/// Turns every run of `width` f32 of `values` by the normalised Walsh–Hadamard transform, in place; a second time turns
/// back. Bit for bit [`kvplan_core::codec::Rotation::hadamard`].
///
/// [`kvplan_core::codec::Rotation::llama_cpp`] says which width llama.cpp takes for which side: keys and queries have
/// K's, values and outputs V's.
///
/// # Errors
/// [`GpuError::Arguments`] when the width is no power of two up to 1024 or does not divide the values.
pub fn hadamard(width: u32, values: &Buffer) -> Result<Dispatch<'_>, GpuError> {
    Ok(launch(&hadamard_params(width, values.bytes())?, values))
}

fn launch<'a>(params: &Turn, values: &'a Buffer) -> Dispatch<'a> {
    let shader = &shader::rotate::HADAMARD;
    let constant = |name: &str| u64::from(shader.constant(name).unwrap_or(1));
    let tiles = u64::from(params.elements).div_ceil(constant("TILE"));
    let signed = [params.before, params.after] != [Signs::default(); 2];
    Dispatch::new(shader)
        .constant("SIGNED", u32::from(signed))
        .params(params.bytes())
        .buffers([values])
        .invocations(tiles * constant("LANES"))
}

/// What is turned for attention over turned vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turned {
    /// Queries, as the keys are: their products are then those of plain queries with plain keys.
    Queries,
    /// Outputs, back to what plain values give.
    Outputs,
}

/// Turns queries into the domain of a decoder of keys, or outputs out of that of a decoder of values, in place; `None`
/// where the decoder gives plain vectors. The double-precision forms are [`crate::convert::turn_queries`] and
/// [`crate::convert::turn_back`].
///
/// # Errors
/// [`GpuError::Arguments`] as for [`hadamard`], in runs of the domain's length.
pub fn turn(
    domain: Domain,
    head_dim: u32,
    what: Turned,
    values: &Buffer,
) -> Result<Option<Dispatch<'_>>, GpuError> {
    Ok(turn_params(domain, head_dim, what, values.bytes())?.map(|params| launch(&params, values)))
}

/// The parameters of [`turn`] for `bytes` of values.
///
/// # Errors
/// As there.
pub fn turn_params(
    domain: Domain,
    head_dim: u32,
    what: Turned,
    bytes: u64,
) -> Result<Option<Turn>, GpuError> {
    let Hadamard { run, before, after, normalized } = match domain {
        Domain::Plain => return Ok(None),
        Domain::Hadamard(hadamard) => hadamard,
    };
    let plain = hadamard_params(run.unwrap_or(head_dim), bytes)?;
    let [before, after] = match what {
        Turned::Queries => [before, after],
        Turned::Outputs => [after, before],
    };
    // A vector came out √n times as long, unless normalized; the product must not, nor what comes back.
    #[expect(clippy::cast_possible_truncation, reason = "a power of two")]
    let inverse = f64::from(plain.width).recip() as f32;
    let scale = if normalized { plain.scale } else { inverse };
    Ok(Some(Turn { scale, before: signs(before), after: signs(after), ..plain }))
}

/// The bits as the kernel takes them.
#[expect(clippy::cast_possible_truncation, reason = "the words of a number of 128 bits")]
fn signs(words: &[u128]) -> Signs {
    let halves = words.iter().flat_map(|word| [0, 32, 64, 96].map(|shift| (word >> shift) as u32)).cycle();
    let mut next = halves.chain(std::iter::repeat(0));
    let mut word = || next.next().unwrap_or(0);
    Signs {
        w0: word(),
        w1: word(),
        w2: word(),
        w3: word(),
        w4: word(),
        w5: word(),
        w6: word(),
        w7: word(),
        w8: word(),
        w9: word(),
        w10: word(),
        w11: word(),
        w12: word(),
        w13: word(),
        w14: word(),
        w15: word(),
    }
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
    let elements = word(shader, "elements", bytes / 4)?;
    Ok(Turn { elements, width, scale, ..Turn::default() })
}
