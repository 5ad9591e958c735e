//! ```text
//! - Qwen3-8B, log of llama.cpp b6000 ---------------------------- any key goes back --
//!  figure            printed     planned
//!  KV buffer size    1024.00     1024.00  equal
//! ```

use super::{picker, text, wrapped};
use crate::screen::app::Page;
use crate::screen::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Draws a page of text over the screen.
pub(crate) fn render(page: &Page, theme: Theme, area: Rect, buf: &mut Buffer) {
    picker::blank(area, buf);
    super::rule(buf, area, 0, &theme.text(&page.title), "any key goes back", theme);
    let width = area.width.saturating_sub(2);
    // Columns are kept; only what is too long for the screen is wrapped.
    let lines = page.lines.iter().skip(page.top).flat_map(|line| {
        if line.chars().count() <= usize::from(width) { vec![line.clone()] } else { wrapped(line, width) }
    });
    for (y, line) in (1..area.height).zip(lines) {
        let style = if line.contains("DIFFERS") { theme.over() } else { Style::new() };
        text(buf, area, 1, y, &theme.text(&line), style);
    }
}
