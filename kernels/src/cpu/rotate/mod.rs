//! `rotate/*`: rows turned before they are quantized, queries and outputs with them.

use crate::shader::Turn;

/// `rotate/hadamard.wgsl`.
pub fn hadamard(params: &Turn, values: &mut [u32]) {
    let width = params.width as usize;
    for run in values[..params.elements as usize].chunks_exact_mut(width) {
        let mut tile: Vec<f32> = run.iter().map(|x| f32::from_bits(*x) * params.scale).collect();
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
        for i in 0..width {
            run[i] = tile[i].to_bits();
        }
    }
}
