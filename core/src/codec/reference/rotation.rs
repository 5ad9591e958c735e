//! Rotations applied to a head's vector before it is quantized: Hadamard, signed Hadamard, or a given matrix.
//!
//! All of them are orthogonal, so q·k stays the same when q is turned as well; engines turn q and the attention output
//! instead of turning rows back.

use super::num;
use crate::codec::Side;
use crate::codec::tables::{TURBO_SIGNS_AFTER, TURBO_SIGNS_BEFORE};

/// A rotation that does not exist or does not fit.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RotationError {
    /// A Hadamard transform needs a power of two.
    #[error("a Hadamard transform of {width} elements does not exist: the width must be a power of two")]
    Width {
        /// The width asked for.
        width: usize,
    },
    /// The matrix is not `n` by `n`.
    #[error("a rotation of {n} elements needs {n}·{n} values, not {values}")]
    NotSquare {
        /// Elements it is for.
        n: usize,
        /// Values given.
        values: usize,
    },
    /// Rows that are not orthonormal.
    #[error("the matrix is no rotation: rows {row} and {other} have the inner product {product}")]
    NotOrthogonal {
        /// A row.
        row: usize,
        /// Another row, or the same.
        other: usize,
        /// Their inner product: 1 for a row with itself, otherwise 0.
        product: f32,
    },
    /// The vector's length is no multiple of the rotation's.
    #[error("a rotation of {width} elements does not divide a vector of {elements}")]
    Vector {
        /// The rotation's width.
        width: usize,
        /// The vector's length.
        elements: usize,
    },
}

/// An orthogonal map on vectors of [`Rotation::width`] elements; longer vectors are turned run by run.
///
/// ```
/// # use kvplan_core::codec::Rotation;
/// let mut x = [1.0, 0.0, 0.0, 0.0];
/// let rotation = Rotation::hadamard(4).unwrap();
/// rotation.apply(&mut x).unwrap();
/// assert_eq!(x, [0.5; 4]);
/// rotation.invert(&mut x).unwrap();
/// assert_eq!(x, [1.0, 0.0, 0.0, 0.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Rotation(Kind);

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Hadamard { width: usize },
    Signed { width: usize },
    Overlapped { n: usize },
    Matrix { n: usize, rows: Vec<f32>, columns: Vec<f32> },
}

impl Rotation {
    /// y = H·x/√width, in the natural (Sylvester) order. It is its own inverse.
    ///
    /// # Errors
    /// [`RotationError::Width`] when `width` is no power of two.
    pub fn hadamard(width: usize) -> Result<Self, RotationError> {
        power_of_two(width).map(|width| Self(Kind::Hadamard { width }))
    }

    /// y = H·D·x/√width with the ±1 diagonal D of [`TURBO_SIGNS_BEFORE`], repeated every 128 elements. Which signs is our
    /// choice: the papers ask for random ones.
    ///
    /// # Errors
    /// [`RotationError::Width`] when `width` is no power of two.
    pub fn signed_hadamard(width: usize) -> Result<Self, RotationError> {
        power_of_two(width).map(|width| Self(Kind::Signed { width }))
    }

    /// What this crate takes where a format leaves the rotation open: [`Rotation::signed_hadamard`] of `dim` when that is
    /// a power of two. Otherwise two rounds of signs ([`TURBO_SIGNS_BEFORE`], then [`TURBO_SIGNS_AFTER`]), a transform of
    /// the first p elements and one of the last p, where p is the largest power of two below `dim`: the runs overlap, so
    /// every element meets every other. Ours, and cheap enough for a kernel.
    #[must_use]
    pub const fn default_for(dim: usize) -> Self {
        Self(if dim.is_power_of_two() {
            Kind::Signed { width: dim }
        } else {
            Kind::Overlapped { n: if dim == 0 { 1 } else { dim } }
        })
    }

    /// y = R·x for a given matrix, row after row.
    ///
    /// # Errors
    /// [`RotationError`] when it is not square or its rows are not orthonormal within 1e-3.
    pub fn matrix(n: usize, rows: Vec<f32>) -> Result<Self, RotationError> {
        if n == 0 || n.checked_mul(n) != Some(rows.len()) {
            return Err(RotationError::NotSquare { n, values: rows.len() });
        }
        for (i, row) in rows.chunks_exact(n).enumerate() {
            for (j, other) in rows.chunks_exact(n).enumerate().skip(i) {
                let product = dot(row, other);
                let expected = if i == j { 1.0 } else { 0.0 };
                if product.is_nan() || (product - expected).abs() >= 1e-3 {
                    return Err(RotationError::NotOrthogonal { row: i, other: j, product });
                }
            }
        }
        let columns = (0..n).flat_map(|j| rows.iter().skip(j).step_by(n).copied()).collect();
        Ok(Self(Kind::Matrix { n, rows, columns }))
    }

    /// The rotation llama.cpp applies to a quantized cache (#21038): keys by the largest power of two that divides the
    /// head width, values by 64; none where 64 does not divide it.
    #[must_use]
    pub fn llama_cpp(side: Side, head_dim: usize) -> Option<Self> {
        let width = match side {
            Side::Key => widest_run(head_dim),
            Side::Value => 64,
        };
        (head_dim > 0 && head_dim.is_multiple_of(64)).then_some(Self(Kind::Hadamard { width }))
    }

    /// Elements turned together.
    #[must_use]
    pub const fn width(&self) -> usize {
        match &self.0 {
            Kind::Hadamard { width } | Kind::Signed { width } => *width,
            Kind::Overlapped { n } | Kind::Matrix { n, .. } => *n,
        }
    }

    /// Turns every run of the vector.
    ///
    /// # Errors
    /// [`RotationError::Vector`] when the runs do not fill the vector.
    pub fn apply(&self, x: &mut [f32]) -> Result<(), RotationError> {
        self.fits(x.len())?;
        self.turn(x);
        Ok(())
    }

    /// Turns every run back.
    ///
    /// # Errors
    /// [`RotationError::Vector`] when the runs do not fill the vector.
    pub fn invert(&self, x: &mut [f32]) -> Result<(), RotationError> {
        self.fits(x.len())?;
        self.turn_back(x);
        Ok(())
    }

    pub(super) fn fits(&self, elements: usize) -> Result<(), RotationError> {
        let width = self.width();
        if elements.is_multiple_of(width) { Ok(()) } else { Err(RotationError::Vector { width, elements }) }
    }

    /// [`Rotation::apply`] on a vector that fits.
    pub(super) fn turn(&self, x: &mut [f32]) {
        for run in x.chunks_exact_mut(self.width()) {
            match &self.0 {
                Kind::Hadamard { .. } => walsh_hadamard(run),
                Kind::Signed { .. } => {
                    negate(run, &[TURBO_SIGNS_BEFORE]);
                    walsh_hadamard(run);
                }
                Kind::Overlapped { .. } => {
                    for signs in [TURBO_SIGNS_BEFORE, TURBO_SIGNS_AFTER] {
                        negate(run, &[signs]);
                        let p = inner_run(run.len());
                        walsh_hadamard(first(run, p));
                        walsh_hadamard(last(run, p));
                    }
                }
                Kind::Matrix { n, rows, .. } => multiply(*n, rows, run),
            }
        }
    }

    /// [`Rotation::invert`] on a vector that fits.
    pub(super) fn turn_back(&self, x: &mut [f32]) {
        for run in x.chunks_exact_mut(self.width()) {
            match &self.0 {
                Kind::Hadamard { .. } => walsh_hadamard(run),
                Kind::Signed { .. } => {
                    walsh_hadamard(run);
                    negate(run, &[TURBO_SIGNS_BEFORE]);
                }
                Kind::Overlapped { .. } => {
                    for signs in [TURBO_SIGNS_AFTER, TURBO_SIGNS_BEFORE] {
                        let p = inner_run(run.len());
                        walsh_hadamard(last(run, p));
                        walsh_hadamard(first(run, p));
                        negate(run, &[signs]);
                    }
                }
                Kind::Matrix { n, columns, .. } => multiply(*n, columns, run),
            }
        }
    }
}

fn power_of_two(width: usize) -> Result<usize, RotationError> {
    if width.is_power_of_two() { Ok(width) } else { Err(RotationError::Width { width }) }
}

/// The largest power of two that divides `dim` (1 for 0).
fn widest_run(dim: usize) -> usize {
    1 << if dim == 0 { 0 } else { dim.trailing_zeros() }
}

/// The largest power of two up to `n` (1 for 0).
fn inner_run(n: usize) -> usize {
    1 << n.checked_ilog2().unwrap_or(0)
}

fn first(x: &mut [f32], n: usize) -> &mut [f32] {
    x.split_at_mut(n.min(x.len())).0
}

fn last(x: &mut [f32], n: usize) -> &mut [f32] {
    x.split_at_mut(x.len().saturating_sub(n)).1
}

/// The normalised Walsh–Hadamard transform as llama.cpp computes it: every element times f32(1/√n) first, then
/// butterflies from the narrowest to the widest, all in single precision. The length is a power of two.
pub(super) fn walsh_hadamard(x: &mut [f32]) {
    let scale = 1.0 / num::count(x.len()).sqrt();
    for x in x.iter_mut() {
        *x *= scale;
    }
    butterflies(x);
}

/// The transform without its 1/√n.
pub(super) fn butterflies(x: &mut [f32]) {
    let mut half = 1;
    while 2 * half <= x.len() {
        for pair in x.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

/// Negates element i where bit i of the words (128 per word, over and over) is set.
pub(super) fn negate(x: &mut [f32], signs: &[u128]) {
    for (run, signs) in x.chunks_mut(128).zip(signs.iter().cycle()) {
        for (i, x) in run.iter_mut().enumerate() {
            if signs >> i & 1 == 1 {
                *x = -*x;
            }
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// x ← M·x, sums in element order.
fn multiply(n: usize, rows: &[f32], x: &mut [f32]) {
    let y: Vec<f32> = rows.chunks_exact(n).map(|row| dot(row, x)).collect();
    x.copy_from_slice(&y);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_rotation_is_refused_by_name() {
        assert_eq!(Rotation::hadamard(48), Err(RotationError::Width { width: 48 }));
        assert_eq!(Rotation::hadamard(0), Err(RotationError::Width { width: 0 }));
        assert_eq!(Rotation::matrix(2, vec![1.0; 3]), Err(RotationError::NotSquare { n: 2, values: 3 }));
        assert_eq!(Rotation::matrix(0, vec![]), Err(RotationError::NotSquare { n: 0, values: 0 }));
        assert_eq!(
            Rotation::matrix(2, vec![1.0, 0.0, 1.0, 0.0]),
            Err(RotationError::NotOrthogonal { row: 0, other: 1, product: 1.0 })
        );
        assert!(Rotation::matrix(1, vec![f32::NAN]).is_err());
        let mut x = [0.0; 6];
        assert_eq!(
            Rotation::hadamard(4).unwrap().apply(&mut x),
            Err(RotationError::Vector { width: 4, elements: 6 })
        );
    }

    /// #21038: head widths 64, 96, 128, 192 and 256.
    #[test]
    fn llama_cpp_turns_keys_by_the_widest_run_and_values_by_64() {
        let width = |side, dim| Rotation::llama_cpp(side, dim).map(|r| r.width());
        assert_eq!([64, 128, 192, 256].map(|d| width(Side::Key, d)), [64, 128, 64, 256].map(Some));
        assert_eq!([64, 128, 192, 256].map(|d| width(Side::Value, d)), [Some(64); 4]);
        assert_eq!([0, 80, 96].map(|d| width(Side::Key, d)), [None; 3]);
    }

    /// Each width turns a unit vector into one of length 1 that no coordinate dominates, and back.
    #[test]
    fn the_default_rotation_spreads_every_coordinate_and_comes_back() {
        for dim in [64usize, 80, 96, 112, 128, 192, 2, 6, 22, 44, 46] {
            let rotation = Rotation::default_for(dim);
            for at in 0..dim {
                let mut x = vec![0.0f32; dim];
                x[at] = 1.0;
                rotation.apply(&mut x).unwrap();
                let length = x.iter().map(|x| x * x).sum::<f32>();
                assert!((length - 1.0).abs() < 1e-5, "{dim}: {length}");
                let most = x.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                assert!(most < 0.8, "{dim}, {at}: {most}");
                rotation.invert(&mut x).unwrap();
                for (i, x) in x.iter().enumerate() {
                    assert!((x - if i == at { 1.0 } else { 0.0 }).abs() < 1e-5, "{dim}");
                }
            }
        }
    }

    #[test]
    fn a_matrix_turns_a_vector_and_back() {
        let (c, s) = (0.8, 0.6);
        let turn = Rotation::matrix(2, vec![c, -s, s, c]).unwrap();
        let mut x = [1.0, 2.0, 0.0, 1.0];
        turn.apply(&mut x).unwrap();
        assert_eq!(x, [c - 2.0 * s, s + 2.0 * c, -s, c]);
        turn.invert(&mut x).unwrap();
        for (x, expected) in x.iter().zip([1.0, 2.0, 0.0, 1.0]) {
            assert!((x - expected).abs() < 1e-6);
        }
    }
}
