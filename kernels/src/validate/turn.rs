//! Queries into a codec's domain and outputs back: formats that turn vectors before they quantize leave them turned, and
//! whoever attends turns queries alike.

use crate::op::{Domain, Hadamard};

/// Queries whose products with turned keys are those of plain queries with plain keys.
pub(super) fn queries(domain: Domain, head_dim: u32, values: &[f32]) -> Vec<f32> {
    each(domain, head_dim, values, |h, run| {
        signs(h.before, run);
        hadamard(run);
        signs(h.after, run);
        // A key came out √n times as long, unless normalized; the product must not.
        scale(run, if h.normalized { -0.5 } else { -1.0 });
    })
}

/// Vectors out of the domain.
pub(super) fn back(domain: Domain, head_dim: u32, values: &[f32]) -> Vec<f32> {
    each(domain, head_dim, values, |h, run| {
        signs(h.after, run);
        hadamard(run);
        signs(h.before, run);
        scale(run, if h.normalized { -0.5 } else { -1.0 });
    })
}

fn each(domain: Domain, head_dim: u32, values: &[f32], work: impl Fn(&Hadamard, &mut [f64])) -> Vec<f32> {
    let h = match domain {
        Domain::Plain => return values.to_vec(),
        Domain::Hadamard(h) => h,
    };
    let run = usize::try_from(h.run.unwrap_or(head_dim)).unwrap_or(usize::MAX);
    let mut wide: Vec<f64> = values.iter().map(|x| f64::from(*x)).collect();
    wide.chunks_exact_mut(run.max(1)).for_each(|run| work(&h, run));
    wide.into_iter().map(single).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "rounded once, to what kernels take")]
const fn single(x: f64) -> f32 {
    x as f32
}

/// Negates element i where bit i of the words is set, the words over and over.
fn signs(words: &[u128], run: &mut [f64]) {
    for (x, bit) in
        run.iter_mut().zip(words.iter().flat_map(|word| (0..128).map(move |i| word >> i & 1)).cycle())
    {
        if bit == 1 {
            *x = -*x;
        }
    }
}

/// The unnormalized transform; `run` is a power of two long.
fn hadamard(run: &mut [f64]) {
    let mut half = 1;
    while half < run.len() {
        for pair in run.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

/// Multiplies by the run's length to this power.
fn scale(run: &mut [f64], power: f64) {
    let length = f64::from(u32::try_from(run.len()).unwrap_or(u32::MAX));
    let factor = length.powf(power);
    run.iter_mut().for_each(|x| *x *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &[u128] = &[0b1011];
    const AFTER: &[u128] = &[0b0110];

    /// y = D₂·H·D₁·x by the definition, entry by entry: H[i][j] = (−1)^popcount(i & j).
    fn turned(h: Hadamard, x: &[f32]) -> Vec<f32> {
        let sign = |words: &[u128], i: usize| if words[0] >> i & 1 == 1 { -1.0f32 } else { 1.0 };
        // Four elements.
        let norm = if h.normalized { 0.5 } else { 1.0 };
        (0..x.len())
            .map(|i| {
                let entry = |j: usize| if (i & j).count_ones() % 2 == 1 { -1.0 } else { 1.0 };
                let sum: f32 = (0..x.len()).map(|j| entry(j) * sign(h.before, j) * x[j]).sum();
                sum * sign(h.after, i) * norm
            })
            .collect()
    }

    #[test]
    fn products_survive_turning_both_and_vectors_come_back() {
        let (q, k) = ([1.0f32, -2.0, 0.5, 3.0], [0.25f32, 4.0, -1.0, 2.0]);
        for normalized in [true, false] {
            let h = Hadamard { run: None, before: BEFORE, after: AFTER, normalized };
            let turned = turned(h, &k);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            let got = dot(&queries(Domain::Hadamard(h), 4, &q), &turned);
            assert!((got - dot(&q, &k)).abs() < 1e-5, "{got} for {}", dot(&q, &k));
            let back = back(Domain::Hadamard(h), 4, &turned);
            assert!(back.iter().zip(k).all(|(a, b)| (a - b).abs() < 1e-6), "{back:?}");
        }
        assert_eq!(queries(Domain::Plain, 4, &q), q);
    }
}
