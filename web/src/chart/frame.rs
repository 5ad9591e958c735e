//! From tokens and bytes to pixels and back.

use super::Scale;
use kvplan_core::planner::view::curve::Curve;

/// Room around the plot, in CSS pixels: labels of the vertical axis, the edge, the top, labels of the horizontal axis.
const LEFT: i32 = 46;
const RIGHT: i32 = 14;
const TOP: i32 = 20;
const BOTTOM: i32 = 22;

/// Where a chart's axes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The plot's edges, pixels.
    pub left: i32,
    /// See `left`.
    pub right: i32,
    /// See `left`.
    pub top: i32,
    /// See `left`.
    pub bottom: i32,
    /// Tokens at the right edge; none at the left, or as few as the scale begins with.
    pub longest: u64,
    /// How far apart they lie.
    pub scale: Scale,
    /// Bytes at the bottom edge.
    pub low: u64,
    /// Bytes at the top edge.
    pub high: u64,
}

impl Frame {
    /// The axes that hold every curve, on a drawing of `size` pixels.
    #[must_use]
    pub fn new(size: (u32, u32), curves: &[&Curve], scale: Scale) -> Self {
        let pixels = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        let longest = curves.iter().map(|curve| curve.longest).max().unwrap_or(1).max(1);
        let bytes = || curves.iter().flat_map(|curve| curve.samples.iter().map(|sample| sample.bytes));
        let capacity = curves.iter().filter_map(|curve| curve.capacity);
        let most = bytes().max().unwrap_or(1);
        // A curve far above the capacity would press what matters flat: the axis ends at four times the capacity.
        let ceiling = capacity.clone().max().map_or(u64::MAX, |room| room.saturating_mul(4));
        let top = capacity.clone().max().unwrap_or(0).max(most.min(ceiling)).max(1);
        let least = bytes().chain(capacity).min().unwrap_or(0);
        let low = if least > top / 4 { least - (top - least) / 8 } else { 0 };
        let high = top.saturating_add((top - low) / 12).max(low + 1);
        let (width, height) = (pixels(size.0), pixels(size.1));
        Self {
            left: LEFT,
            right: (width - RIGHT).max(LEFT + 1),
            top: TOP,
            bottom: (height - BOTTOM).max(TOP + 1),
            longest,
            scale,
            low,
            high,
        }
    }

    /// The column of a number of tokens.
    #[must_use]
    pub fn x(&self, tokens: u64) -> i32 {
        let (along, whole) = self.scale.along(tokens, self.longest);
        self.left + part(along, whole, self.right - self.left)
    }

    /// The row of a number of bytes; what lies outside is drawn at the edge.
    #[must_use]
    pub fn y(&self, bytes: u64) -> i32 {
        let above = bytes.clamp(self.low, self.high) - self.low;
        self.bottom - part(above, self.high - self.low, self.bottom - self.top)
    }

    /// The tokens at a column.
    #[must_use]
    pub fn tokens_at(&self, x: i32) -> u64 {
        let (_, end) = self.scale.along(0, self.longest);
        self.scale.tokens(whole(x - self.left, self.right - self.left, end)).min(self.longest)
    }

    /// The bytes at a row.
    #[must_use]
    pub fn bytes_at(&self, y: i32) -> u64 {
        self.low.saturating_add(whole(self.bottom - y, self.bottom - self.top, self.high - self.low))
    }
}

/// `n / of` of `pixels`.
fn part(n: u64, of: u64, pixels: i32) -> i32 {
    let scaled = i128::from(n.min(of)) * i128::from(pixels) / i128::from(of.max(1));
    i32::try_from(scaled).unwrap_or(pixels)
}

/// `pixels / of` of `n`, kept inside.
fn whole(pixels: i32, of: i32, n: u64) -> u64 {
    let of = of.max(1);
    let scaled = i128::from(pixels.clamp(0, of)) * i128::from(n) / i128::from(of);
    u64::try_from(scaled).unwrap_or(0)
}

/// Round steps that cut `0..=most` into at most `parts`: powers of two times `unit`.
pub(super) fn step(most: u64, unit: u64, parts: u64) -> u64 {
    let mut step = unit.max(1);
    while most / step > parts.max(1) {
        step = step.saturating_mul(2);
    }
    step
}
