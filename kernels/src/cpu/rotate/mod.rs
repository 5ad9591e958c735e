//! `rotate/*`: rows turned before they are quantized, queries and outputs with them.

mod block_gtq;

pub use block_gtq::block_gtq;

use crate::shader::{Signs, Turn};

/// `rotate/hadamard.wgsl`.
pub fn hadamard(params: &Turn, values: &mut [u32]) {
    let width = params.width as usize;
    for run in values[..params.elements as usize].chunks_exact_mut(width) {
        let scaled = run.iter().map(|x| f32::from_bits(*x) * params.scale);
        let mut tile: Vec<f32> = scaled.zip(flips(&params.before)).map(flipped).collect();
        let mut half = 1;
        while half < width {
            for pair in 0..width / 2 {
                let low = pair / half * 2 * half + pair % half;
                let (a, b) = (tile[low], tile[low + half]);
                tile[low] = a + b;
                tile[low + half] = a - b;
            }
            half *= 2;
        }
        for (to, from) in run.iter_mut().zip(tile.into_iter().zip(flips(&params.after)).map(flipped)) {
            *to = from.to_bits();
        }
    }
}

/// `flip`: for each element whether it is negated, over and over.
fn flips(signs: &Signs) -> impl Iterator<Item = bool> {
    let words: Vec<u8> = signs.bytes();
    (0..).map(move |i: usize| words[i / 8 % words.len()] >> (i % 8) & 1 == 1)
}

fn flipped((x, negated): (f32, bool)) -> f32 {
    if negated { -x } else { x }
}
