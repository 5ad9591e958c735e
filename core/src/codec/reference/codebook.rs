//! A symmetric codebook and the rule for values half-way between two levels.

use crate::codec::tables::lloyd_max;

/// Where a value exactly half-way between two levels goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// To the lower level.
    Lower,
    /// To the upper level.
    Upper,
}

/// Levels in ascending order and the half-way points between them.
#[derive(Debug, Clone)]
pub(super) struct Codebook {
    levels: Vec<f32>,
    cuts: Vec<f32>,
    tie: Tie,
}

impl Codebook {
    /// The codebook whose positive half is given, every level times `scale`.
    pub(super) fn symmetric(half: &[f32], scale: f32, tie: Tie) -> Self {
        let negative = half.iter().rev().map(|x| -(x * scale));
        let levels: Vec<f32> = negative.chain(half.iter().map(|x| x * scale)).collect();
        let cuts = levels.iter().zip(levels.iter().skip(1)).map(|(a, b)| (a + b) / 2.0).collect();
        Self { levels, cuts, tie }
    }

    /// The Lloyd–Max codebook of `bits` bits (1 to 8; wider ones are cut to 8) for coordinates of a unit vector of `dim`
    /// elements: N(0, 1) levels divided by √dim, half-way points to the lower level.
    pub(super) fn lloyd_max(bits: u8, dim: usize) -> Self {
        let half = lloyd_max(bits.clamp(1, 8)).unwrap_or_default();
        Self::symmetric(half, 1.0 / super::num::count(dim).sqrt(), Tie::Lower)
    }

    /// The nearest level's index. NaN gets the lowest.
    pub(super) fn code(&self, x: f32) -> u8 {
        let below = match self.tie {
            Tie::Lower => self.cuts.partition_point(|cut| *cut < x),
            Tie::Upper => self.cuts.partition_point(|cut| *cut <= x),
        };
        u8::try_from(below).unwrap_or(u8::MAX)
    }

    /// The level of a code; 0 past the last.
    pub(super) fn level(&self, code: u8) -> f32 {
        self.levels.get(usize::from(code)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_way_points_go_where_each_implementation_sends_them() {
        let codes = |tie| {
            let book = Codebook::symmetric(&[1.0, 3.0], 1.0, tie);
            [-4.0, -2.0, -1.9, 0.0, 0.1, 2.0, 2.1, f32::NAN].map(|x| book.code(x))
        };
        assert_eq!(codes(Tie::Lower), [0, 0, 1, 1, 2, 2, 3, 0]);
        assert_eq!(codes(Tie::Upper), [0, 1, 1, 2, 2, 3, 3, 0]);
    }
}
