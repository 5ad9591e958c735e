//! Attention in f64 on decoded K and V, and how far a correct f32 kernel may be from it.

use crate::op::Shape;

/// What attention gives, and the error each element may have.
#[derive(Debug, Clone, PartialEq)]
pub struct Oracle {
    /// `[sequence][query][head][head_dim]`.
    pub output: Vec<f64>,
    /// The bound on |kernel − output|, element by element.
    pub bound: Vec<f64>,
}

/// Half an ULP at 1: the relative error of one f32 operation.
const U: f64 = 1.0 / 16_777_216.0;

/// Attention over `k` and `v`: `[sequence][token][kv_heads · head_dim]`, `stride` tokens per sequence, of which
/// `lengths` count; `q`: `[sequence][query][head][head_dim]`; one logit per head in `sinks`, if the shape has them.
///
/// The bound adds up, to first order, what WGSL allows at each step, whatever the order of summation:
/// a score of d terms is off by at most (d+3)·u·Σ|q·k|·scale =: Δ; its weight exp(x) by a relative
/// Δ + (3+3|x|)·2u (WGSL: exp is good to 3+2|x| ULP, and the difference x to u|x|); sums of n terms by n·u; rescaling
/// from tile to tile (at least 32 keys) by 3 ULP each and 3|x| ULP over all; the quotient by 2.5 ULP.
#[must_use]
pub fn attention(
    shape: &Shape,
    stride: usize,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    lengths: &[u32],
    sinks: &[f32],
) -> Oracle {
    let dim = shape.head_dim as usize;
    let width = dim * shape.kv_heads as usize;
    let mut oracle = Oracle { output: Vec::new(), bound: Vec::new() };
    for (sequence, length) in lengths.iter().enumerate() {
        for index in 0..shape.queries {
            let sees = length - shape.queries + index;
            let oldest = if shape.window > 0 { (sees + 1).saturating_sub(shape.window) } else { 0 };
            for head in 0..shape.heads {
                let at = ((sequence * shape.queries as usize + index as usize) * shape.heads as usize
                    + head as usize)
                    * dim;
                let column = (head / (shape.heads / shape.kv_heads)) as usize * dim;
                let rows: Vec<usize> = (oldest..=sees)
                    .map(|token| (sequence * stride + token as usize) * width + column)
                    .collect();
                let sink = shape.sinks.then(|| f64::from(sinks[head as usize]));
                row(shape, &q[at..][..dim], &rows, k, v, sink, &mut oracle);
            }
        }
    }
    oracle
}

fn row(
    shape: &Shape,
    q: &[f32],
    rows: &[usize],
    k: &[f32],
    v: &[f32],
    sink: Option<f64>,
    oracle: &mut Oracle,
) {
    let dim = q.len();
    let scale = f64::from(shape.scale);
    let terms = |values: &[f32]| -> (f64, f64) {
        let products = q.iter().zip(values).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products
            .fold((0.0, 0.0), |(sum, abs), product| (sum + product * scale, abs + (product * scale).abs()))
    };
    let scores: Vec<(f64, f64)> = rows.iter().map(|at| terms(&k[*at..][..dim])).collect();
    let top = scores.iter().map(|(score, _)| *score).fold(sink.unwrap_or(f64::NEG_INFINITY), f64::max);
    let weights: Vec<f64> = scores.iter().map(|(score, _)| (score - top).exp()).collect();
    let total = weights.iter().sum::<f64>() + sink.map_or(0.0, |sink| (sink - top).exp());
    let range = scores.iter().map(|(score, _)| top - score).fold(0.0, f64::max);
    let (n, d) = (count(rows.len()), count(dim));
    let common = (n + 8.0) * U + 3.0 * (n / 32.0 + 2.0 + range) * 2.0 * U;
    let weight_error: Vec<f64> = scores
        .iter()
        .map(|(score, abs)| (d + 3.0) * U * abs + (3.0 + 3.0 * (top - score)) * 2.0 * U + common)
        .collect();
    // A sink's weight is an exponential like the others, with an exact score.
    let total_error = weights.iter().zip(&weight_error).map(|(w, e)| w / total * e).sum::<f64>()
        + sink
            .map_or(0.0, |sink| (sink - top).exp() / total * ((3.0 + 3.0 * (top - sink)) * 2.0 * U + common));
    for i in 0..dim {
        let (mut sum, mut error) = (0.0, 0.0);
        for (j, at) in rows.iter().enumerate() {
            let term = weights[j] / total * f64::from(v[at + i]);
            sum += term;
            error += term.abs() * weight_error[j];
        }
        oracle.output.push(sum);
        // A hundredth for the second order, and the smallest normal number for what a device flushes to zero.
        oracle
            .bound
            .push(1.01 * (error + sum.abs() * (total_error + 5.0 * U)) + f64::from(f32::MIN_POSITIVE));
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
const fn count(n: usize) -> f64 {
    n as f64
}
