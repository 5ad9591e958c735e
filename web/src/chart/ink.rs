//! Colours of a drawing. The page's own are in `style.css`; a canvas and a file cannot read them.

use plotters::style::RGBColor;

/// Colours on one ground.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ink {
    /// Behind everything.
    pub ground: RGBColor,
    /// Text that matters.
    pub text: RGBColor,
    /// Axes and their labels.
    pub quiet: RGBColor,
    /// Lines of the grid.
    pub grid: RGBColor,
    /// The curve: the colour of a cache that grows with every token.
    pub curve: RGBColor,
    /// What is beyond the capacity.
    pub over: RGBColor,
}

impl Ink {
    /// On paper.
    pub const LIGHT: Self = Self {
        ground: RGBColor(0xfc, 0xfc, 0xfa),
        text: RGBColor(0x1b, 0x1f, 0x24),
        quiet: RGBColor(0x56, 0x5c, 0x66),
        grid: RGBColor(0xe2, 0xe4, 0xdf),
        curve: RGBColor(0x2b, 0x3a, 0xa0),
        over: RGBColor(0xbb, 0x10, 0x24),
    };
    /// On a dark ground.
    pub const DARK: Self = Self {
        ground: RGBColor(0x14, 0x17, 0x1b),
        text: RGBColor(0xe6, 0xe8, 0xe6),
        quiet: RGBColor(0xa3, 0xab, 0xb5),
        grid: RGBColor(0x2a, 0x30, 0x37),
        curve: RGBColor(0x7f, 0x95, 0xff),
        over: RGBColor(0xf5, 0x79, 0x4e),
    };
}
