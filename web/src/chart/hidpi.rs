//! A canvas that is drawn in CSS pixels and holds as many as the screen has.

use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};
use plotters_canvas::CanvasBackend;
use wasm_bindgen::JsCast as _;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// A canvas, ready to be drawn on.
pub(crate) struct HiDpi {
    inner: CanvasBackend,
    size: (u32, u32),
}

impl HiDpi {
    /// Fits the canvas's own pixels to the box it is shown in; `None` where it has no box or no 2d context.
    pub(crate) fn new(canvas: &HtmlCanvasElement) -> Option<Self> {
        let size = size(canvas)?;
        let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
        canvas.set_width(scaled(size.0, ratio));
        canvas.set_height(scaled(size.1, ratio));
        let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
        context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0).ok()?;
        Some(Self { inner: CanvasBackend::with_canvas_object(canvas.clone())?, size })
    }
}

/// The box a canvas is shown in, CSS pixels.
pub(crate) fn size(canvas: &HtmlCanvasElement) -> Option<(u32, u32)> {
    let whole = |n: i32| u32::try_from(n).ok().filter(|n| *n > 0);
    Some((whole(canvas.client_width())?, whole(canvas.client_height())?))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixels of a screen times its density: positive and far below 2^32; the cast saturates"
)]
fn scaled(pixels: u32, ratio: f64) -> u32 {
    (f64::from(pixels) * ratio).round() as u32
}

type Drawn = Result<(), DrawingErrorKind<<CanvasBackend as DrawingBackend>::ErrorType>>;

impl DrawingBackend for HiDpi {
    type ErrorType = <CanvasBackend as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Drawn {
        self.inner.present()
    }

    fn draw_pixel(&mut self, point: BackendCoord, color: BackendColor) -> Drawn {
        self.inner.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.inner.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.inner.draw_rect(from, to, style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.inner.draw_path(path, style)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.inner.fill_polygon(path, style)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        self.inner.draw_circle(center, radius, style, fill)
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Drawn {
        self.inner.draw_text(text, style, at)
    }
}
