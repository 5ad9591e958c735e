//! One query at a time: logits over the keys it sees, softmax, output.

use super::Shape;
use std::ops::Range;

/// A query vector, its KV head, and the tokens it sees.
#[derive(Debug, Clone)]
pub(super) struct Query<'a> {
    shape: Shape,
    vector: &'a [f32],
    kv_head: usize,
    sees: Range<usize>,
}

/// All queries of `q`, token after token, head after head.
pub(super) fn queries(shape: Shape, q: &[f32]) -> impl Iterator<Item = Query<'_>> {
    let group = shape.heads / shape.kv_heads;
    q.chunks_exact(shape.head_dim).enumerate().map(move |(row, vector)| {
        let token = row / shape.heads;
        let from = shape.window.map_or(0, |window| (token + 1).saturating_sub(window));
        Query { shape, vector, kv_head: row % shape.heads / group, sees: from..token + 1 }
    })
}

impl Query<'_> {
    /// The visible vectors of this query's head in a tensor of keys or values.
    fn visible<'t>(&self, tensor: &'t [f32]) -> impl Iterator<Item = &'t [f32]> {
        let Shape { kv_heads, head_dim, .. } = self.shape;
        let vectors = tensor.chunks_exact(head_dim).skip(self.sees.start * kv_heads + self.kv_head);
        vectors.step_by(kv_heads).take(self.sees.len())
    }

    /// q·k/√d for every visible key.
    pub(super) fn logits(&self, k: &[f32]) -> Vec<f32> {
        let scale = 1.0 / width(self.shape.head_dim).sqrt();
        self.visible(k).map(|k| dot(self.vector, k) * scale).collect()
    }

    /// Σ weight·v over the visible values.
    pub(super) fn output(&self, weights: &[f32], v: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0f32; self.shape.head_dim];
        for (weight, v) in weights.iter().zip(self.visible(v)) {
            for (out, v) in out.iter_mut().zip(v) {
                *out += weight * v;
            }
        }
        out
    }
}

/// The softmax of one query's logits.
pub(super) fn softmax(logits: &[f32]) -> Vec<f32> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut weights: Vec<f32> = logits.iter().map(|x| (x - most).exp()).collect();
    let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let scale = single(1.0 / total);
    weights.iter_mut().for_each(|w| *w *= scale);
    weights
}

/// The scalar product in eight lanes.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((lane, a), b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[expect(clippy::cast_precision_loss, reason = "head widths are far below 2^24")]
const fn width(n: usize) -> f32 {
    n as f32
}

#[expect(clippy::cast_possible_truncation, reason = "rounded to the output's precision")]
const fn single(x: f64) -> f32 {
    x as f32
}

/// Count, Σx, Σ|x| and Σx² in double precision.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    count: f64,
    sum: f64,
    absolute: f64,
    square: f64,
}

impl Sums {
    pub(super) fn add(&mut self, x: f32) {
        let x = f64::from(x);
        self.count += 1.0;
        self.sum += x;
        self.absolute += x.abs();
        self.square += x * x;
    }

    pub(super) const fn square(self) -> f64 {
        self.square
    }

    pub(super) fn mean_abs(self) -> f64 {
        self.absolute / self.count
    }

    pub(super) fn root_mean_square(self) -> f64 {
        (self.square / self.count).sqrt()
    }

    pub(super) fn deviation(self) -> f64 {
        let mean = self.sum / self.count;
        (self.square / self.count - mean * mean).max(0.0).sqrt()
    }
}
