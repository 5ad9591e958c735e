//! What a codec does to attention: errors of K, V, logits and output, on activations of a real model.
//!
//! Pure arithmetic on the CPU, no adapter: the figures `kvplan validate --capture` prints per codec, and what kernels'
//! outputs are judged by. Dot products are single precision in eight lanes, everything summed over more than a vector is
//! double precision. Work is O(tokens² · heads · head_dim), memory O(tokens · head_dim).

mod attention;

use attention::{Sums, softmax};

/// Activations that do not describe a layer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QualityError {
    /// A tensor of another size than the shape says.
    #[error(
        "{tensor} has {values} values where {tokens} tokens of {heads} heads of {head_dim} need {expected}"
    )]
    Size {
        /// `q`, `k` or `v`, `decoded k` or `decoded v`.
        tensor: &'static str,
        /// Values given.
        values: usize,
        /// Tokens.
        tokens: usize,
        /// Heads of that tensor.
        heads: usize,
        /// Head width.
        head_dim: usize,
        /// Values needed.
        expected: usize,
    },
    /// Query heads that do not share KV heads evenly.
    #[error("{heads} query heads do not share {kv_heads} KV heads evenly")]
    Heads {
        /// Query heads.
        heads: usize,
        /// KV heads.
        kv_heads: usize,
    },
    /// A shape without elements.
    #[error("{field} is 0: there is nothing to attend to")]
    Empty {
        /// The field that is 0.
        field: &'static str,
    },
    /// A value that makes every figure meaningless.
    #[error("{tensor} holds {value} at {at}")]
    NonFinite {
        /// The tensor, as in [`QualityError::Size`].
        tensor: &'static str,
        /// Position in the tensor.
        at: usize,
        /// The value, as written.
        value: String,
    },
}

/// A layer's dimensions. Query head h reads KV head h / (heads / kv_heads).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Tokens; positions count from 0.
    pub tokens: usize,
    /// Query heads.
    pub heads: usize,
    /// KV heads.
    pub kv_heads: usize,
    /// Elements of one head's vector.
    pub head_dim: usize,
    /// Query i sees key j iff 0 ≤ i − j < window; `None` sees all before it.
    pub window: Option<usize>,
}

/// One layer's activations, after rotary embedding: q `[tokens, heads, head_dim]`, k and v `[tokens, kv_heads, head_dim]`.
/// Logits are q·k/√head_dim.
#[derive(Debug, Clone, Copy)]
pub struct Activations<'a> {
    shape: Shape,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
}

/// Errors of one codec on one layer. Each is relative to the exact figure, except the logits'.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Σ(k̂ − k)²/Σk².
    pub k_rel_mse: f64,
    /// Σ(v̂ − v)²/Σv².
    pub v_rel_mse: f64,
    /// Mean |q·(k̂ − k)|/√head_dim over all query heads and visible pairs.
    pub logit_mae: f64,
    /// ‖Ô − O‖/‖O‖ of the attention output with K decoded and V exact.
    pub out_rel_err_k: f64,
    /// The same with K exact and V decoded.
    pub out_rel_err_v: f64,
    /// The same with both decoded.
    pub out_rel_err_kv: f64,
}

/// A layer's exact figures, to set the errors beside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// Mean |logit| over all query heads and visible pairs.
    pub logit_abs_mean: f64,
    /// Standard deviation of the logits.
    pub logit_std: f64,
    /// Root mean square of the attention output.
    pub output_rms: f64,
}

impl<'a> Activations<'a> {
    /// # Errors
    /// [`QualityError`] when the tensors do not have the shape's sizes, heads are not shared evenly, or a value is
    /// infinite or NaN.
    pub fn new(shape: Shape, q: &'a [f32], k: &'a [f32], v: &'a [f32]) -> Result<Self, QualityError> {
        let Shape { tokens, heads, kv_heads, head_dim, window } = shape;
        let fields = [("tokens", tokens), ("heads", heads), ("kv_heads", kv_heads), ("head_dim", head_dim)];
        let fields = fields.into_iter().chain(window.map(|w| ("window", w)));
        if let Some((field, _)) = fields.into_iter().find(|(_, n)| *n == 0) {
            return Err(QualityError::Empty { field });
        }
        if !heads.is_multiple_of(kv_heads) {
            return Err(QualityError::Heads { heads, kv_heads });
        }
        check("q", shape, heads, q)?;
        check("k", shape, kv_heads, k)?;
        check("v", shape, kv_heads, v)?;
        Ok(Self { shape, q, k, v })
    }

    /// The layer's dimensions.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// The layer's own figures.
    #[must_use]
    pub fn reference(&self) -> Reference {
        let (mut logits, mut output) = (Sums::default(), Sums::default());
        for query in attention::queries(self.shape, self.q) {
            let scores = query.logits(self.k);
            scores.iter().for_each(|x| logits.add(*x));
            query.output(&softmax(&scores), self.v).iter().for_each(|x| output.add(*x));
        }
        Reference {
            logit_abs_mean: logits.mean_abs(),
            logit_std: logits.deviation(),
            output_rms: output.root_mean_square(),
        }
    }

    /// What decoding to `k` and `v` instead of the exact tensors costs.
    ///
    /// # Errors
    /// [`QualityError`] when they do not have the layer's sizes or hold infinities or NaN.
    pub fn quality(&self, k: &[f32], v: &[f32]) -> Result<Quality, QualityError> {
        check("decoded k", self.shape, self.shape.kv_heads, k)?;
        check("decoded v", self.shape, self.shape.kv_heads, v)?;
        let delta: Vec<f32> = k.iter().zip(self.k).map(|(decoded, exact)| decoded - exact).collect();
        let mut logits = Sums::default();
        let (mut exact, mut by_k, mut by_v, mut by_kv) =
            (Sums::default(), Sums::default(), Sums::default(), Sums::default());
        for query in attention::queries(self.shape, self.q) {
            let scores = query.logits(self.k);
            let off = query.logits(&delta);
            off.iter().for_each(|x| logits.add(*x));
            let moved: Vec<f32> = scores.iter().zip(&off).map(|(s, d)| s + d).collect();
            let (scores, moved) = (softmax(&scores), softmax(&moved));
            let o = query.output(&scores, self.v);
            o.iter().for_each(|x| exact.add(*x));
            for (sums, output) in [
                (&mut by_k, query.output(&moved, self.v)),
                (&mut by_v, query.output(&scores, v)),
                (&mut by_kv, query.output(&moved, v)),
            ] {
                output.iter().zip(&o).for_each(|(a, b)| sums.add(a - b));
            }
        }
        let relative = |sums: Sums| (sums.square() / exact.square()).sqrt();
        Ok(Quality {
            k_rel_mse: relative_mse(self.k, k),
            v_rel_mse: relative_mse(self.v, v),
            logit_mae: logits.mean_abs(),
            out_rel_err_k: relative(by_k),
            out_rel_err_v: relative(by_v),
            out_rel_err_kv: relative(by_kv),
        })
    }

    /// Attention output `[tokens, heads, head_dim]` of these queries over any `k` and `v` of the layer's size.
    ///
    /// # Errors
    /// [`QualityError`] as for [`Activations::quality`].
    pub fn output(&self, k: &[f32], v: &[f32]) -> Result<Vec<f32>, QualityError> {
        check("decoded k", self.shape, self.shape.kv_heads, k)?;
        check("decoded v", self.shape, self.shape.kv_heads, v)?;
        let queries = attention::queries(self.shape, self.q);
        Ok(queries.flat_map(|query| query.output(&softmax(&query.logits(k)), v)).collect())
    }
}

/// Σ(x̂ − x)²/Σx²; 0 where both are zero, infinite where only x is.
#[must_use]
pub fn relative_mse(exact: &[f32], decoded: &[f32]) -> f64 {
    let (mut error, mut size) = (Sums::default(), Sums::default());
    for (x, y) in exact.iter().zip(decoded) {
        error.add(y - x);
        size.add(*x);
    }
    if error.square() == 0.0 { 0.0 } else { error.square() / size.square() }
}

fn check(tensor: &'static str, shape: Shape, heads: usize, values: &[f32]) -> Result<(), QualityError> {
    let Shape { tokens, head_dim, .. } = shape;
    let expected = tokens.saturating_mul(heads).saturating_mul(head_dim);
    if values.len() != expected {
        return Err(QualityError::Size { tensor, values: values.len(), tokens, heads, head_dim, expected });
    }
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let value = values.get(at).map(ToString::to_string).unwrap_or_default();
            Err(QualityError::NonFinite { tensor, at, value })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { tokens: 2, heads: 2, kv_heads: 1, head_dim: 1, window: None };
    /// Two tokens, two query heads on one KV head, one dimension: small enough to work out by hand.
    const Q: [f32; 4] = [1.0, 0.0, 2.0, 0.0];
    const K: [f32; 2] = [0.0, 1.0];
    const V: [f32; 2] = [1.0, 3.0];

    fn layer(shape: Shape) -> Activations<'static> {
        Activations::new(shape, &Q, &K, &V).unwrap()
    }

    #[test]
    fn attention_by_hand() {
        let (e2, layer) = (2f64.exp(), layer(SHAPE));
        // token 1: head 0 has logits 0 and 2, head 1 none, so it averages
        let expected = [1.0, 1.0, (1.0 + 3.0 * e2) / (1.0 + e2), 2.0];
        for (got, expected) in layer.output(&K, &V).unwrap().iter().zip(expected) {
            assert!((f64::from(*got) - expected).abs() < 1e-6, "{got} for {expected}");
        }
        // pairs (0,0) (0,0) (1,0) (1,1) (1,0) (1,1): one logit of 2 in six
        let reference = layer.reference();
        assert!((reference.logit_abs_mean - 2.0 / 6.0).abs() < 1e-12);
        assert!((reference.logit_std - (4.0f64 / 6.0 - 1.0 / 9.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_window_of_one_sees_only_itself() {
        let layer = layer(Shape { window: Some(1), ..SHAPE });
        assert_eq!(layer.output(&K, &V).unwrap(), [1.0, 1.0, 3.0, 3.0]);
    }

    #[test]
    fn errors_by_hand() {
        let quality = layer(SHAPE).quality(&[0.0, 1.5], &[1.0, 2.0]).unwrap();
        assert!((quality.k_rel_mse - 0.25).abs() < 1e-12);
        assert!((quality.v_rel_mse - 0.1).abs() < 1e-12);
        // the only moved logit is head 0's of pair (1,1): by 2·0.5
        assert!((quality.logit_mae - 1.0 / 6.0).abs() < 1e-12);
        let (a, b) = (2f64.exp(), 3f64.exp());
        let mix = |w: f64, v: f64| (1.0 + v * w) / (1.0 + w);
        let exact: f64 = [1.0, 1.0, mix(a, 3.0), 2.0].iter().map(|x| x * x).sum();
        let relative = |off: &[f64]| (off.iter().map(|x| x * x).sum::<f64>() / exact).sqrt();
        let near = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-6, "{got} for {expected}");
        near(quality.out_rel_err_k, relative(&[mix(b, 3.0) - mix(a, 3.0)]));
        near(quality.out_rel_err_v, relative(&[mix(a, 2.0) - mix(a, 3.0), 0.5]));
        near(quality.out_rel_err_kv, relative(&[mix(b, 2.0) - mix(a, 3.0), 0.5]));
    }

    #[test]
    fn exact_tensors_have_no_error() {
        let quality = layer(SHAPE).quality(&K, &V).unwrap();
        let all = [
            quality.k_rel_mse,
            quality.v_rel_mse,
            quality.logit_mae,
            quality.out_rel_err_k,
            quality.out_rel_err_v,
            quality.out_rel_err_kv,
        ];
        assert_eq!(all, [0.0; 6]);
        assert_eq!(relative_mse(&[0.0], &[0.0]), 0.0);
        assert_eq!(relative_mse(&[0.0], &[1.0]), f64::INFINITY);
    }

    #[test]
    fn what_is_no_layer_is_named() {
        let error = |shape, q: &[f32]| Activations::new(shape, q, &K, &V).unwrap_err().to_string();
        assert_eq!(error(SHAPE, &Q[..3]), "q has 3 values where 2 tokens of 2 heads of 1 need 4");
        assert_eq!(
            error(Shape { window: Some(0), ..SHAPE }, &Q),
            "window is 0: there is nothing to attend to"
        );
        assert_eq!(
            error(Shape { heads: 3, kv_heads: 2, ..SHAPE }, &Q),
            "3 query heads do not share 2 KV heads evenly"
        );
        assert_eq!(error(SHAPE, &[0.0, 0.0, f32::NAN, 0.0]), "q holds NaN at 2");
        assert!(layer(SHAPE).quality(&K, &V[..1]).is_err());
        assert!(layer(SHAPE).quality(&[0.0, f32::INFINITY], &V).is_err());
    }
}
