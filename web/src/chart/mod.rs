//! Bytes against context, drawn: on a canvas in the page, as SVG for a file or a test. The picture is the same, for the
//! drawing knows only a [`DrawingBackend`](plotters::backend::DrawingBackend).

mod draw;
mod frame;
#[cfg(target_arch = "wasm32")]
pub(crate) mod hidpi;
mod ink;
mod scale;
#[cfg(test)]
mod tests;

pub use draw::draw;
pub use frame::Frame;
pub use ink::Ink;
pub use scale::Scale;

use kvplan_core::planner::View;
use kvplan_core::planner::view::curve::Curve;
use plotters::prelude::SVGBackend;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The plan's curve.
    pub curve: Curve,
    /// Plan A's.
    pub pinned: Option<Curve>,
    /// The curve of what is being looked at and not yet taken.
    pub ghost: Option<Curve>,
    /// Tokens of the plan.
    pub context: u64,
    /// The longest context that fits.
    pub most: Option<u64>,
    /// Units of the axis.
    pub view: View,
    /// How far apart tokens lie.
    pub scale: Scale,
}

impl Chart {
    /// Where the axes of a drawing of `size` pixels lie.
    #[must_use]
    pub fn frame(&self, size: (u32, u32)) -> Frame {
        let others = self.pinned.iter().chain(&self.ghost);
        Frame::new(size, &std::iter::once(&self.curve).chain(others).collect::<Vec<_>>(), self.scale)
    }

    /// The chart as an SVG document.
    ///
    /// # Errors
    /// What the drawing library cannot draw.
    pub fn svg(&self, size: (u32, u32), ink: &Ink) -> Result<String, String> {
        let mut text = String::new();
        draw(SVGBackend::with_string(&mut text, size), self, ink).map_err(|error| error.to_string())?;
        Ok(text)
    }
}
