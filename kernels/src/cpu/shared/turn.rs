//! `shared/turn.wgsl`: one vector's norm, its Hadamard transforms, the nearest level of a codebook. In plain f32, one
//! rounding per operation: what the shader computes on integers where its own f32 is in doubt.

use kvplan_core::codec::tables::{TURBO_SIGNS_AFTER, TURBO_SIGNS_BEFORE};

/// √Σx², summed in element order.
pub(in crate::cpu) fn norm(x: &[f32]) -> f32 {
    x.iter().fold(0.0f32, |sum, x| sum + x * x).sqrt()
}

/// Negates the elements whose bit is set, 128 over and over.
pub(in crate::cpu) fn negate(x: &mut [f32], after: bool) {
    let signs = if after { TURBO_SIGNS_AFTER } else { TURBO_SIGNS_BEFORE };
    for (i, x) in x.iter_mut().enumerate() {
        if signs >> (i % 128) & 1 == 1 {
            *x = -*x;
        }
    }
}

/// The transform without its 1/√n, of a power of two elements.
pub(in crate::cpu) fn butterflies(x: &mut [f32]) {
    let mut half = 1;
    while half < x.len() {
        for i in 0..x.len() / 2 {
            let a = i / half * half * 2 + i % half;
            (x[a], x[a + half]) = (x[a] + x[a + half], x[a] - x[a + half]);
        }
        half *= 2;
    }
}

/// 1/√n.
#[expect(clippy::cast_precision_loss, reason = "a head's width")]
pub(crate) fn inverse_root(n: usize) -> f32 {
    1.0 / (n as f32).sqrt()
}

/// The normalised transform: every element times 1/√n, then the butterflies.
pub(in crate::cpu) fn hadamard(x: &mut [f32]) {
    let scale = inverse_root(x.len());
    for x in x.iter_mut() {
        *x *= scale;
    }
    butterflies(x);
}

/// `Rotation::default_for` these many elements.
pub(in crate::cpu) fn turned(x: &mut [f32]) {
    let (p, n) = (run(x.len()), x.len());
    negate(x, false);
    hadamard(&mut x[..p]);
    if p < n {
        hadamard(&mut x[n - p..]);
        negate(x, true);
        hadamard(&mut x[..p]);
        hadamard(&mut x[n - p..]);
    }
}

/// The way back.
pub(in crate::cpu) fn turned_back(x: &mut [f32]) {
    let (p, n) = (run(x.len()), x.len());
    if p < n {
        hadamard(&mut x[n - p..]);
        hadamard(&mut x[..p]);
        negate(x, true);
        hadamard(&mut x[n - p..]);
    }
    hadamard(&mut x[..p]);
    negate(x, false);
}

/// The largest power of two up to n.
fn run(n: usize) -> usize {
    1 << n.max(1).ilog2()
}

/// Place among all numbers: both zeros are one place.
const fn order(x: f32) -> i32 {
    let magnitude = (x.to_bits() & 0x7fff_ffff).cast_signed();
    if x.is_sign_negative() { -magnitude } else { magnitude }
}

/// A symmetric codebook's cuts, ascending, as `turn_code` compares them.
pub(crate) struct Cuts(Vec<i32>);

impl Cuts {
    /// As [`Cuts::places`] gave them.
    pub(in crate::cpu) fn listed(places: &[u32]) -> Self {
        Self(places.iter().map(|place| place.cast_signed()).collect())
    }

    /// Their places among all numbers.
    pub(crate) fn places(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|place| place.cast_unsigned())
    }

    /// Half-way points between levels whose positive half is given; they go to the upper level if `up`.
    pub(crate) fn between(half: &[f32], up: bool) -> Self {
        let levels: Vec<f32> = half.iter().rev().map(|x| -x).chain(half.iter().copied()).collect();
        Self(levels.windows(2).map(|pair| order((pair[0] + pair[1]) * 0.5) + i32::from(!up)).collect())
    }

    /// Cuts whose positive half is given, and 0 between the halves. A coordinate on a cut goes up.
    pub(in crate::cpu) fn at(half: &[f32]) -> Self {
        let negative = half.iter().rev().map(|x| -x);
        Self(negative.chain([0.0]).chain(half.iter().copied()).map(order).collect())
    }

    /// How many cuts lie at or below `x`.
    pub(in crate::cpu) fn code(&self, x: f32) -> u32 {
        self.0.iter().map(|cut| u32::from(order(x) >= *cut)).sum()
    }
}
