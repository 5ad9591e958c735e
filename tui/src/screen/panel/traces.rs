//! ```text
//! - TRACES --------------------------------
//!  Prefix-cache hit rates of recorded requests will be drawn here.
//! ```

use super::{picker, text, wrapped};
use crate::screen::app::App;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Says what is to come.
pub(crate) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    picker::blank(area, buf);
    super::rule(buf, area, 0, "TRACES", "", app.theme);
    let about = "Not built yet. Here will stand what a prefix cache of a given size would have saved on recorded requests: \
                 hit rate against capacity for LRU, FIFO and the best possible order, and where host memory or a disk would \
                 pay.";
    for (y, line) in (1..area.height).zip(wrapped(about, area.width.saturating_sub(2))) {
        text(buf, area, 1, y, &line, app.theme.dim());
    }
}
